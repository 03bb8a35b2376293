// A fresh token, or null where authentication is off. In an app of yours this asks the service where people sign in, such
// as Clerk's `getToken`. Here `?tokens=` in the page's address is where to get one, as `make demo AUTH=1` prints it.

export async function getToken(): Promise<string | null> {
  const issuer = new URLSearchParams(location.search).get('tokens');
  if (!issuer) return null;
  const answer = await fetch(issuer, { method: 'POST' });
  return ((await answer.json()) as { token: string }).token;
}
