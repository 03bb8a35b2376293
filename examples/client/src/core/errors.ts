// What can go wrong between a page and the server. Every message is a sentence for people.

/** The server answered, and the answer is no. */
export class Refused extends Error {
  /** Whether asking again may be answered differently: the server is busy or has a fault. */
  readonly isPassing: boolean;

  constructor(message: string, { isPassing = false, ...options }: ErrorOptions & { isPassing?: boolean } = {}) {
    super(message, options);
    this.isPassing = isPassing;
  }
}

/** No answer, or none that can be read. */
export class Unreachable extends Error {}

/** The token is not good (any more), or there is none. */
export class Denied extends Refused {
  /** Whether a fresh token may be good. */
  readonly mayBeMended: boolean;

  constructor(message: string, mayBeMended = true) {
    super(message);
    this.mayBeMended = mayBeMended;
  }
}

/** The token is good, but not for this. */
export class Forbidden extends Denied {}

/** There is no such sync (any more). */
export class Missing extends Refused {}

/** What answers at the address is no Routiq server; or a proxy in front of it has a page of its own for the moment. */
export class Stranger extends Refused {
  constructor(url: string) {
    super(`There is no Routiq server at ${url}. Check the address, and the path that a proxy forwards.`, { isPassing: true });
  }
}

/** This transport does not get through, whatever the others do. */
export class Blocked extends Unreachable {}

/** The function that gives tokens has failed. */
export class NoToken extends Unreachable {
  constructor(cause: unknown) {
    super('No token could be fetched from where you sign in. Sign in, and try again.', { cause });
  }
}

/** The error for a refusal with this `extensions.code` (or `code` of REST). */
export function refusal(code: unknown, message: string): Refused {
  switch (code) {
    case 'UNAUTHENTICATED':
      return new Denied(message);
    case 'FORBIDDEN':
      return new Forbidden(message);
    case 'SYNC_NOT_FOUND':
      return new Missing(message);
    case 'BAD_USER_INPUT':
      return new Refused(message);
    default:
      return new Refused(message, { isPassing: true });
  }
}

/** Whether the same request may be answered later, with nothing else changed. */
export const mayPass = (problem: unknown): boolean => !(problem instanceof Refused) || problem.isPassing;

/** What any error means, in a sentence for people. */
export function sentenceOf(problem: unknown): string {
  if (problem instanceof Refused || problem instanceof Unreachable) return problem.message;
  return `Something went wrong on this page: ${problem instanceof Error ? problem.message : String(problem)}`;
}
