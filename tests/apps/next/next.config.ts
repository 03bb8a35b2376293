import type { NextConfig } from 'next'

const config: NextConfig = {
  turbopack: { root: import.meta.dirname }, // or it looks for lock files in the folders above
}

export default config
