/**
 * An address as messages and logs may repeat it. What people write there may hold a password, which we have no use for:
 * `tcp://user:secret@host`, or a token behind a `?`.
 */
export function shownAddress(address: string): string {
  const scheme = /^(?:[a-z][a-z0-9+.-]*:\/\/)?/i.exec(address)![0];
  // A password may hold any character, the ones that end it in a URL too, so it ends with the last @ that there is.
  const rest = address.slice(scheme.length).replace(/^([^:/@]*):.*@/s, '$1:***@');
  return scheme + rest.replace(/\?.*$/s, '?***');
}
