// Calls the functions of the pages around. One that throws is reported, as browsers report event handlers, and does not
// interrupt what has called it: a mistake in a page must not look like a lost connection.

export function callAll<Values extends unknown[]>(functions: Iterable<(...values: Values) => void>, ...values: Values): void {
  for (const call of functions) {
    try {
      call(...values);
    } catch (error) {
      if (typeof reportError === 'function') reportError(error);
      else console.error(error); // Node.js has no reportError
    }
  }
}
