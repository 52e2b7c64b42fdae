/**
 * The compressions that the header Accept-Encoding names and does not rule out by `q=0`. A `*` names none: what is sent as
 * it is suits everybody.
 */
export function acceptedEncodings(header: string | string[] | undefined): ReadonlySet<string> {
  const accepted = new Set<string>();
  for (const part of String(header ?? '').split(',')) {
    const [name = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
    const isRefused = parameters.some((each) => /^q=0(?:\.0*)?$/.test(each));
    if (!isRefused) accepted.add(name === 'x-gzip' ? 'gzip' : name);
  }
  return accepted;
}
