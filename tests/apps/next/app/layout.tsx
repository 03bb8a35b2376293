import type { Metadata } from 'next'
import type { ReactNode } from 'react'
import 'routiq-gql-react/style.css'

export const metadata: Metadata = { title: 'An app', icons: { icon: 'data:,' } }

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <main>{children}</main>
      </body>
    </html>
  )
}
