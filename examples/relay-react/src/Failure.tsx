// src/Failure.tsx
import { Component, type ReactNode } from 'react';

/** What is in it, or the sentence of the error with which that failed. */
export class Failure extends Component<{ children: ReactNode }, { message: string | null }> {
  state = { message: null };

  static getDerivedStateFromError(error: unknown) {
    return { message: error instanceof Error ? error.message : String(error) };
  }

  render() {
    return this.state.message === null ? this.props.children : <p role="alert">{this.state.message}</p>;
  }
}
