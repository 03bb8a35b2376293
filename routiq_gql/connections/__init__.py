"""An organization's access to Cliniko: connect, check, disconnect, and open clients."""
