/** Where the page is: `#/clients/7?search=pump`. What is shown has an address, so it can be linked and gone back to. */
export interface Route {
  /** The parts of the path, decoded. */
  path: readonly string[];
  query: Readonly<Record<string, string>>;
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = split(hash.replace(/^#\/?/, ''), '?');
  return {
    path: path.split('/').filter(Boolean).map(decoded),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** The link to a place. What is undefined or empty is left out. */
export function linkTo(
  path: readonly (string | number)[],
  query: Readonly<Record<string, string | undefined>> = {},
) {
  const said = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = said.length === 0 ? '' : `?${new URLSearchParams(said)}`;
  return `#/${path.map((part) => encodeURIComponent(part)).join('/')}${search}`;
}

function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
