import { basename, join, resolve } from 'node:path';
import { quoted } from '../../../../internal/errors.ts';
import { suggestion } from '../../../../internal/lib/nearest.ts';
import { beside, type FoundAccess, findAccess } from '../../import/mosquitto-access.ts';
import type { Left, Migrated, MigratedOption } from '../migrated.ts';
import { type FileLine, linesOfConf } from './lines.ts';
import { ALSO_OF_LISTENERS, isTrue, MosquittoListener, OF_LISTENERS } from './listeners.ts';
import { fateOf, MOSQUITTO_OPTIONS } from './options.ts';

/**
 * What a `mosquitto.conf` says, in options of this broker. Each line of it is taken over, or told.
 *
 * @throws UsageError where a file cannot be read.
 */
export function migrateMosquitto(file: string): Migrated {
  return new Migration(file).migrate(linesOfConf(file));
}

/** MQTT has no larger packet, and mosquitto no other limit unless one is said. */
const MQTT_LIMIT = '256MiB';

class Migration {
  readonly #file: string;
  readonly #options = new Map<string, MigratedOption>();
  readonly #left: Left[] = [];
  readonly #needless: Left[] = [];
  readonly #default = new MosquittoListener();
  readonly #listeners: MosquittoListener[] = [];
  /** The last line of each option that is about the whole broker. */
  readonly #globals = new Map<string, FileLine>();
  readonly #accessFiles = { password_file: [] as FileLine[], acl_file: [] as FileLine[] };
  readonly #anonymous: FileLine[] = [];
  readonly #logTypes: FileLine[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  migrate(lines: readonly FileLine[]): Migrated {
    this.#sort(lines);
    const listeners = this.#openListeners();
    this.#takeListeners(listeners);
    this.#takeTls(listeners);
    const access = this.#accessOf(listeners);
    this.#takeStore();
    this.#takeLimits(listeners);
    this.#takeLog();
    this.#takeNumber('sys_interval', 'sys-interval');
    return { options: this.#options, left: this.#left, needless: this.#needless, access };
  }

  /** Where no line names a place, mosquitto listens for this machine only, and looks at nothing else that is said of listeners. */
  #openListeners(): MosquittoListener[] {
    const isLocalOnly =
      this.#listeners.length === 0 &&
      ['port', 'bind_address'].every((key) => this.#default.lineOf(key) === undefined);
    if (!isLocalOnly) return [this.#default, ...this.#listeners].filter((listener) => listener.isAskedFor);
    const why = 'mosquitto does not look at it without listener, port or bind_address';
    for (const line of [...this.#default.lines, ...this.#anonymous])
      if (fateOf(line.key)?.kind === 'taken') this.#needless.push(leftOf(line, why));
    return [];
  }

  #sort(lines: readonly FileLine[]): void {
    let bridge: FileLine | undefined;
    for (const line of lines) {
      const fate = fateOf(line.key);
      if (line.key === 'connection') bridge = line;
      if (ALSO_OF_LISTENERS.includes(line.key)) (this.#listeners.at(-1) ?? this.#default).add(line);
      if (fate === undefined)
        this.#tell(line, `no option of mosquitto${suggestion(line.key, Object.keys(MOSQUITTO_OPTIONS))}`);
      else if (fate.kind === 'lacking') this.#tell(line, fate.instead);
      else if (fate.kind === 'needless') this.#needless.push(leftOf(line, fate.why));
      else if (fate.kind === 'bridge') this.#tellOfBridge(line, bridge);
      else this.#take(line);
    }
  }

  #take(line: FileLine): void {
    const { key } = line;
    if (key === 'listener') this.#listeners.push(new MosquittoListener(line));
    else if (OF_LISTENERS.includes(key)) (this.#listeners.at(-1) ?? this.#default).add(line);
    else if (key === 'password_file' || key === 'acl_file') this.#accessFiles[key].push(line);
    else if (key === 'allow_anonymous') this.#anonymous.push(line);
    else if (key === 'log_type') this.#logTypes.push(line);
    else if (key === 'log_dest' && line.value !== 'stderr' && line.value !== 'none')
      this.#tell(
        line,
        'the log goes to the standard error, and the service manager from there to where it is to be',
      );
    else {
      const earlier = this.#globals.get(key);
      if (earlier !== undefined)
        this.#tell(earlier, `it stands in ${whereOf(line, this.#file)} again, which counts`);
      this.#globals.set(key, line);
    }
  }

  #tellOfBridge(line: FileLine, bridge: FileLine | undefined): void {
    if (line.key === 'connection')
      this.#tell(
        line,
        'bridges do not begin here: let the other broker connect, if it is a mosquitto, or run a small mosquitto that connects to both',
      );
    else if (bridge === undefined)
      this.#tell(line, 'it is about a bridge, and stands before each connection');
    else this.#tell(line, `belongs to the bridge of line ${bridge.line}`);
  }

  #takeListeners(listeners: readonly MosquittoListener[]): void {
    if (listeners.length === 0) {
      const note = 'mosquitto without a listener is there for this machine only';
      this.#set('listen', ['mqtt://localhost:1883'], note);
      return;
    }
    const urls = listeners.flatMap((listener) => {
      if (listener.url === undefined)
        this.#tell(listener.start ?? listener.lineOf('port')!, 'no port is named there');
      const domain = listener.lineOf('socket_domain');
      if (domain?.value === 'ipv6') this.#tell(domain, 'addresses of IPv4 are listened on too');
      const protocol = listener.lineOf('protocol');
      if (protocol !== undefined && !['mqtt', 'websockets'].includes(protocol.value))
        this.#tell(protocol, `${quoted(protocol.value)} is not served; it is a listener for MQTT here`);
      return listener.url ?? [];
    });
    if (urls.length > 0)
      this.#set(
        'listen',
        urls,
        this.#noteOf(listeners.flatMap((listener) => listener.start ?? listener.lineOf('port') ?? [])),
      );
  }

  /** One certificate is for all listeners here. */
  #takeTls(listeners: readonly MosquittoListener[]): void {
    const secure = listeners.filter((listener) => listener.usesTls);
    for (const listener of listeners) if (!secure.includes(listener)) this.#tellHalfOfTls(listener);
    const [first] = secure;
    if (first === undefined) return;
    for (const [key, flag] of [
      ['certfile', 'tls-cert'],
      ['keyfile', 'tls-key'],
    ] as const)
      this.#takeFileOfAll(secure, key, flag);
    const strict = secure.filter((listener) => listener.is('require_certificate'));
    if (strict.length > 0) {
      this.#takeFileOfAll(strict, 'cafile', 'tls-ca');
      this.#takeFileOfAll(strict, 'crlfile', 'tls-crl');
      for (const listener of secure)
        if (!strict.includes(listener))
          this.#tell(
            listener.start ?? listener.lineOf('certfile')!,
            'certificates of clients are asked for at this listener too',
          );
    }
    for (const listener of secure) this.#tellNamesOfCertificates(listener, strict.includes(listener));
  }

  #tellHalfOfTls(listener: MosquittoListener): void {
    for (const key of ['cafile', 'certfile', 'keyfile', 'crlfile', 'require_certificate', 'tls_version']) {
      const line = listener.lineOf(key);
      if (line !== undefined)
        this.#tell(line, 'this listener has no TLS, for which certfile and keyfile are needed');
    }
  }

  #takeFileOfAll(listeners: readonly MosquittoListener[], key: string, flag: string): void {
    const lines = listeners.flatMap((listener) => listener.lineOf(key) ?? []);
    const [first] = lines;
    if (first === undefined) return;
    this.#set(flag, [this.#pathOf(first)], this.#noteOf([first]));
    for (const line of lines.slice(1))
      if (line.value !== first.value) this.#tell(line, `all listeners have the file of line ${first.line}`);
  }

  #tellNamesOfCertificates(listener: MosquittoListener, isStrict: boolean): void {
    const version = listener.lineOf('tls_version');
    if (version !== undefined && version.value !== 'tlsv1.2')
      this.#tell(version, 'TLS 1.2 and 1.3 are spoken, and nothing older');
    const [subject, identity] = ['use_subject_as_username', 'use_identity_as_username'].map((key) =>
      listener.lineOf(key),
    );
    if (subject !== undefined && isTrue(subject.value) && !isTrue(identity?.value))
      this.#set('certificate-user', ['subject'], this.#noteOf([subject]));
    else if (isStrict && !isTrue(identity?.value))
      this.#tell(
        listener.lineOf('require_certificate')!,
        'the name in a certificate is that of its user here (certificate-user)',
      );
    const ca = listener.lineOf('cafile');
    if (ca !== undefined && !isStrict)
      this.#needless.push(leftOf(ca, 'clients are not asked for certificates without require_certificate'));
    const revoked = listener.lineOf('crlfile');
    if (revoked !== undefined && !isStrict)
      this.#tell(revoked, 'without require_certificate nobody shows a certificate');
  }

  #accessOf(listeners: readonly MosquittoListener[]): FoundAccess | undefined {
    const perListener = this.#globals.get('per_listener_settings');
    if (isTrue(perListener?.value))
      this.#tell(
        perListener!,
        'users and rules hold for all listeners here; those of all are taken together, and the strictest allow_anonymous',
      );
    const { password_file: passwords, acl_file: acls } = this.#accessFiles;
    const isOpen =
      listeners.length === 0 ||
      (this.#anonymous.length > 0 && this.#anonymous.every(({ value }) => isTrue(value)));
    const isChecked = listeners.some((listener) => listener.is('require_certificate'));
    if (passwords.length === 0 && acls.length === 0 && (isOpen || isChecked)) {
      if (isOpen && listeners.length > 0)
        this.#set('allow-anonymous', ['true'], this.#noteOf(this.#anonymous));
      return undefined;
    }
    if (acls.length > 0)
      this.#set('acl-partial', ['true'], 'as mosquitto does: who asks for too much gets what it may have');
    return findAccess({
      passwordFiles: passwords.map((line) => beside(line.file, line.value)),
      aclFiles: acls.map((line) => beside(line.file, line.value)),
      allowsAnonymous: isOpen,
    });
  }

  #takeStore(): void {
    const persistence = this.#globals.get('persistence');
    const location = this.#globals.get('persistence_location');
    if (!isTrue(persistence?.value)) {
      this.#set(
        'memory',
        ['true'],
        persistence === undefined
          ? 'mosquitto keeps nothing unless persistence is true'
          : this.#noteOf([persistence]),
      );
      if (location !== undefined)
        this.#needless.push(leftOf(location, 'nothing is kept without persistence'));
      return;
    }
    const folder = location === undefined ? './data' : join(this.#pathOf(location), 'tinymq');
    this.#set('data-dir', [folder], `${this.#noteOf([location ?? persistence!])}; a folder of its own`);
    this.#left.push({
      ...{ file: this.#file, line: persistence!.line },
      problem:
        'persistence: what mosquitto.db holds is not taken over; docs/from-mosquitto.md says how a bridge carries retained messages over',
    });
  }

  #takeLimits(listeners: readonly MosquittoListener[]): void {
    const bounds = listeners.flatMap((listener) => listener.lineOf('max_connections') ?? []);
    const [only] = bounds;
    if (listeners.length === 1 && only !== undefined && Number(only.value) > 0)
      this.#set('max-clients', [only.value], this.#noteOf([only]));
    else
      for (const line of bounds)
        if (Number(line.value) > 0) this.#tell(line, 'max-clients holds for all listeners together');
    const size = ['message_size_limit', 'max_packet_size'].flatMap((key) => this.#globals.get(key) ?? []);
    const bounded = size.find(({ value }) => Number(value) > 0);
    const note = 'mosquitto has no limit but that of MQTT';
    this.#set(
      'max-message',
      [bounded?.value ?? MQTT_LIMIT],
      bounded === undefined ? note : this.#noteOf([bounded]),
    );
    this.#takeNumber('max_queued_messages', 'session-queue', '100000000');
    this.#takeNumber('max_queued_bytes', 'session-queue-bytes', '64GiB');
    const expiry = this.#globals.get('persistent_client_expiration');
    if (expiry !== undefined) this.#takeExpiry(expiry);
  }

  #takeExpiry(line: FileLine): void {
    const days = { h: 1 / 24, d: 1, w: 7, m: 30, y: 365 }[line.value.slice(-1)];
    const count = Number(line.value.slice(0, -1));
    if (days === undefined || !(count > 0)) this.#tell(line, 'it is a number and one of h, d, w, m, y');
    else if (days < 1) this.#set('session-expiry', [line.value], this.#noteOf([line]));
    else this.#set('session-expiry', [`${Math.min(count * days, 36_500)}d`], this.#noteOf([line]));
  }

  /** @param unlimited what stands for 0, where that means that there is no limit. */
  #takeNumber(key: string, flag: string, unlimited?: string): void {
    const line = this.#globals.get(key);
    if (line === undefined) return;
    if (!/^\d{1,15}$/.test(line.value)) this.#tell(line, `${quoted(line.value)} is no number`);
    else if (line.value === '0' && unlimited !== undefined) {
      this.#set(flag, [unlimited], this.#noteOf([line]));
      this.#tell(line, `there is a limit here: the largest one, ${unlimited}`);
    } else this.#set(flag, [line.value], this.#noteOf([line]));
  }

  #takeLog(): void {
    const types = new Set(this.#logTypes.map(({ value }) => value));
    const level = levelOf(types);
    const destination = this.#globals.get('log_dest');
    if (destination?.value === 'none' || level === 'silent')
      this.#set(
        'log-level',
        ['silent'],
        this.#noteOf(destination === undefined ? this.#logTypes : [destination]),
      );
    else if (level !== undefined && level !== 'info')
      this.#set('log-level', [level], this.#noteOf(this.#logTypes));
    else
      for (const line of this.#logTypes)
        this.#needless.push(leftOf(line, 'log.level is info unless something else is said'));
  }

  #noteOf(lines: readonly FileLine[]): string {
    return noteOf(lines, this.#file);
  }

  #set(flag: string, texts: readonly string[], note: string): void {
    this.#options.set(flag, { texts, note });
  }

  #tell(line: FileLine, problem: string): void {
    this.#left.push(leftOf(line, problem));
  }

  /** Mosquitto looks from where it was started; that is not known here, and the file that is written may be elsewhere. */
  #pathOf({ file, value }: FileLine): string {
    return resolve(beside(file, value));
  }
}

function leftOf({ file, line, key }: FileLine, problem: string): Left {
  return { file, line, problem: `${key}: ${problem}` };
}

/** `line 12: listener 1883`. */
function noteOf(lines: readonly FileLine[], main: string): string {
  const words = lines.map((line) => `${whereOf(line, main)}: ${line.key} ${line.value}`.trim());
  return words.length > 4 ? [...words.slice(0, 4), '…'].join('; ') : words.join('; ');
}

/** A line of the main file, or of one that it includes. */
function whereOf({ file, line }: FileLine, main: string): string {
  return file === main ? `line ${line}` : `${basename(file)}, line ${line}`;
}

/** The level that has all of these; undefined where nothing is said. */
function levelOf(types: ReadonlySet<string>): string | undefined {
  if (types.size === 0) return undefined;
  if (types.has('all') || types.has('debug')) return 'debug';
  const ofInfo = ['notice', 'information', 'subscribe', 'unsubscribe', 'websockets', 'internal'];
  if (ofInfo.some((type) => types.has(type))) return 'info';
  if (types.has('warning')) return 'warn';
  return types.has('error') ? 'error' : 'silent';
}
