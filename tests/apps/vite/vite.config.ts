import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const react18 = [
  { find: /^react(\/.*)?$/, replacement: 'react-18$1' },
  { find: /^react-dom(\/.*)?$/, replacement: 'react-dom-18$1' },
]

// REACT=18 builds the same app with React 18. A server bundle holds all of its packages, so that there is one React in it.
export default defineConfig({
  plugins: [react()],
  resolve: { alias: process.env.REACT === '18' ? react18 : [] },
  ssr: { noExternal: true },
})
