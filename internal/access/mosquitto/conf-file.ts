/** What of a `mosquitto.conf` is about users and rules. */
export interface ConfFile {
  readonly passwordFiles: readonly string[];
  readonly aclFiles: readonly string[];
  /** Undefined where it does not say. */
  readonly allowsAnonymous: boolean | undefined;
  /** Lines that are not taken over. */
  readonly problems: readonly { readonly line: number; readonly problem: string }[];
}

/** Keys that let somebody in, or keep somebody out, in ways that have to be made anew here. */
const OTHER_WAYS: Readonly<Record<string, string>> = {
  psk_file: 'keys that are shared before (PSK) are not served',
  plugin: 'plugins are not served',
  auth_plugin: 'plugins are not served',
  global_plugin: 'plugins are not served',
  use_identity_as_username: 'the name of a certificate is its user here, see broker -certificate-user',
  use_subject_as_username: 'see broker -certificate-user subject',
  require_certificate: 'see broker -tls-ca',
  cafile: 'see broker -tls-ca',
  include_dir: 'files elsewhere are not read: import them one by one',
};

/** A line of a `mosquitto.conf` that says something. */
export interface ConfLine {
  readonly line: number;
  readonly key: string;
  /** All behind the key, without spaces around it. */
  readonly value: string;
}

/** A comment has a line for itself: a `#` in a value is part of that. */
export function confLines(text: string): ConfLine[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .flatMap((whole, index) => {
      const [, key, value = ''] = /^\s*([^\s#]\S*)\s*(.*?)\s*$/s.exec(whole) ?? [];
      return key === undefined ? [] : [{ line: index + 1, key, value }];
    });
}

/** Reads a `mosquitto.conf`. */
export function parseConfFile(text: string): ConfFile {
  const passwordFiles: string[] = [];
  const aclFiles: string[] = [];
  const problems: { line: number; problem: string }[] = [];
  let allowsAnonymous: boolean | undefined;
  for (const { line, key, value } of confLines(text)) {
    const tell = (problem: string) => void problems.push({ line, problem: `${key}: ${problem}` });
    if (key === 'password_file') passwordFiles.push(value);
    else if (key === 'acl_file') aclFiles.push(value);
    else if (key === 'allow_anonymous') {
      // Where listeners differ, the stricter one counts.
      allowsAnonymous = (allowsAnonymous ?? true) && value === 'true';
    } else if (key === 'per_listener_settings' && value === 'true')
      tell('users and rules hold for all listeners here; those of all are taken together');
    else if (Object.hasOwn(OTHER_WAYS, key)) tell(OTHER_WAYS[key]!);
  }
  return { passwordFiles, aclFiles, allowsAnonymous, problems };
}
