import { resolve } from 'node:path';
import type { FileLine } from './lines.ts';

/** A listener of mosquitto, with the lines that are about it. */
export class MosquittoListener {
  /** Undefined for the default one, which no line begins. */
  readonly start: FileLine | undefined;
  readonly #lines = new Map<string, FileLine>();

  constructor(start?: FileLine) {
    this.start = start;
  }

  add(line: FileLine): void {
    this.#lines.set(line.key, line);
  }

  lineOf(key: string): FileLine | undefined {
    return this.#lines.get(key);
  }

  valueOf(key: string): string | undefined {
    return this.#lines.get(key)?.value;
  }

  is(key: string): boolean {
    return isTrue(this.valueOf(key));
  }

  get lines(): readonly FileLine[] {
    return [...this.#lines.values()];
  }

  /** Whether a line asks for the default listener, where there are others. */
  get isAskedFor(): boolean {
    return this.start !== undefined || this.lines.some(({ key }) => key !== 'tls_version');
  }

  get usesTls(): boolean {
    return this.#lines.has('certfile') && this.#lines.has('keyfile');
  }

  /** Undefined where the line cannot be understood. */
  get url(): string | undefined {
    const [port = this.valueOf('port') ?? '1883', host = this.valueOf('bind_address') ?? ''] =
      this.start?.value.split(/\s+/) ?? [];
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return undefined;
    if (port === '0' && host.includes('/')) return `unix://${resolve(host)}`;
    const scheme = this.valueOf('protocol') === 'websockets' ? 'ws' : 'mqtt';
    return `${scheme}${this.usesTls ? 's' : ''}://${this.#hostText(host)}:${port}`;
  }

  #hostText(host: string): string {
    if (host !== '') return host.includes(':') ? `[${host}]` : host;
    return { ipv4: '0.0.0.0', ipv6: '[::]' }[this.valueOf('socket_domain') ?? ''] ?? '';
  }
}

/** As mosquitto reads it. */
export function isTrue(value: string | undefined): boolean {
  return value === 'true' || value === '1';
}

/** Options that are taken over and are about the listener before them, or about the default one where there is none. */
export const OF_LISTENERS: readonly string[] = [
  ...['port', 'bind_address', 'protocol', 'socket_domain', 'max_connections'],
  ...['cafile', 'certfile', 'keyfile', 'crlfile', 'require_certificate', 'tls_version'],
  ...['use_identity_as_username', 'use_subject_as_username'],
];

/** Others of them, with which the default listener opens too. */
export const ALSO_OF_LISTENERS: readonly string[] = [
  ...[
    'bind_interface',
    'mount_point',
    'max_qos',
    'use_username_as_clientid',
    'capath',
    'ciphers',
    'ciphers_tls1.3',
  ],
  ...['dhparamfile', 'psk_hint', 'tls_engine', 'tls_engine_kpass_sha1', 'tls_keyform'],
];
