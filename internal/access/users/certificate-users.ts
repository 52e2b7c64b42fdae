import type { CertificateNames } from '../../lib/certificate-names.ts';
import { userNameProblem } from './user.ts';

/** Where in a certificate the name of its user stands. */
const SOURCES = {
  cn: ({ commonNames }) => commonNames,
  dns: ({ dnsNames }) => dnsNames,
  email: ({ emails }) => emails,
  uri: ({ uris }) => uris,
  subject: ({ subject }) => (subject === '' ? [] : [subject]),
} as const satisfies Record<string, (names: CertificateNames) => readonly string[]>;

type Source = keyof typeof SOURCES;

/** Takes a name out of a certificate; undefined where it has none for this. */
type Mapping = (names: CertificateNames) => string | undefined;

/** Used where nobody says otherwise. */
export const DEFAULT_CERTIFICATE_USERS: readonly string[] = ['cn'];

/** Makes names of users out of certificates. */
export class CertificateUsers {
  readonly #mappings: readonly Mapping[];

  /**
   * @param mappings tried in their order: `cn`, `dns`, `email`, `uri`, `subject`, or `RULE:pattern/replacement/` as in
   *   Kafka's `ssl.principal.mapping.rules`, where `L` or `U` at the end makes the letters small or capital.
   * @throws Error for one that is none of these.
   */
  constructor(mappings: readonly string[] = DEFAULT_CERTIFICATE_USERS) {
    this.#mappings = mappings.map(parseMapping);
  }

  /**
   * The user of a certificate; undefined where none of its names is meant for that.
   *
   * @throws Error where it is not clear who is meant, or the name is no user's.
   */
  userOf(names: CertificateNames): string | undefined {
    if (names.problem !== undefined) throw new Error(`the certificate is not accepted: ${names.problem}`);
    for (const mapping of this.#mappings) {
      const user = mapping(names);
      if (user !== undefined) return checkedUser(user);
    }
    return undefined;
  }
}

function checkedUser(name: string): string {
  const problem = userNameProblem(name);
  if (problem !== undefined) throw new Error(`the name in the certificate is no user's: ${problem}`);
  return name;
}

function parseMapping(text: string): Mapping {
  if (Object.hasOwn(SOURCES, text)) return (names) => onlyOne(text, SOURCES[text as Source](names));
  const rule = /^RULE:((?:[^/\\]|\\.)+)\/((?:[^/\\]|\\.)*)\/([LU]?)$/.exec(text);
  if (rule === null) {
    throw new Error(
      `'${text}' is none of ${Object.keys(SOURCES).join(', ')} and no RULE:pattern/replacement/`,
    );
  }
  const [, pattern = '', replacement = '', letters] = rule;
  const whole = new RegExp(`^(?:${pattern})$`, 'u');
  return ({ subject }) => {
    if (!whole.test(subject)) return undefined;
    return inLetters(subject.replace(whole, replacement.replaceAll('\\/', '/')), letters);
  };
}

function onlyOne(source: string, names: readonly string[]): string | undefined {
  if (names.length > 1)
    throw new Error(`the certificate has several names (${source}), and one was expected`);
  return names[0];
}

function inLetters(name: string, letters: string | undefined): string {
  if (letters === 'L') return name.toLowerCase();
  return letters === 'U' ? name.toUpperCase() : name;
}
