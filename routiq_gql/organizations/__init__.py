"""What readers ask about an organization: its dashboard, its history and its schedule."""
