import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { DOORS } from '../../internal/doors/all.ts';
import { type DoorEntry, doorsWithPorts } from '../../internal/doors/door.ts';
import type { CertificateFiles, DoorName, RunningBroker } from '../../pkg/embed/index.ts';
import { coloursFor } from '../cli/run-program.ts';
import { shellQuoted } from '../cli/shell.ts';

export interface BannerOptions {
  version: string;
  listeners: RunningBroker['listeners'];
  /** Those of them where nobody checks who connects, and that are not on this machine only. */
  openToAll?: readonly string[];
  /** Where messages are kept; undefined: in memory. */
  keepsIn?: string;
  tls: CertificateFiles | undefined;
  /** One JSON object instead of lines for people. */
  json: boolean;
}

/** What the broker prints when it has started: what is listening, and what to type next. */
export function banner(options: BannerOptions): string {
  const { version, listeners, openToAll = [], keepsIn, tls, json } = options;
  if (json) return `${JSON.stringify({ version, pid: process.pid, ...urlsByDoor(listeners) })}\n`;
  const colours = coloursFor(process.stdout);
  const next = nextLines(urlsOf(listeners, 'frames'), urlsOf(listeners, 'kafka'), tls);
  const page = urlsOf(listeners, 'http').find((url) => /^https?:/.test(url));
  const lines = [
    `${colours.bold(`tinymq ${version}`)} is listening on`,
    ...doorsWithPorts(DOORS).flatMap((door) => listenerLines(door, urlsOf(listeners, door.name), colours)),
    ...DOORS.flatMap((door) => sharedPortLines(door, listeners)),
    keepsIn === undefined ? 'Messages are kept in memory only.' : `What is to be kept lies in ${keepsIn}`,
    ...openToAll.map((url) => colours.yellow(`Everybody who reaches ${url} may read and write everything.`)),
    ...(openToAll.length === 0
      ? []
      : ['To close it, add users (tinymq users add NAME), or listen on localhost.']),
    '',
    ...(next.length === 0
      ? []
      : ['In another terminal:', ...next.map((line) => `  ${colours.cyan(line)}`), '']),
    ...(page === undefined ? [] : [`In a browser: ${colours.green(page)}`, '']),
    'Stop with Ctrl-C.',
    '',
  ];
  return lines.join('\n');
}

/** The door of the programs in this package, whose listeners need no word about their clients. */
const OWN_DOOR: DoorName = 'frames';

/** As programs read it: the listeners of our own door, and those of each other door under its name. */
function urlsByDoor(listeners: RunningBroker['listeners']): Record<string, string[]> {
  const doors = doorsWithPorts(DOORS).map(({ name }) => name);
  return Object.fromEntries(
    doors.map((name) => [name === OWN_DOOR ? 'listeners' : name, urlsOf(listeners, name)]),
  );
}

function listenerLines(
  { name, clients }: DoorEntry,
  urls: readonly string[],
  colours: ReturnType<typeof coloursFor>,
): string[] {
  const suffix = name === OWN_DOOR ? '' : `  for ${clients} clients`;
  return urls.map((url) => `  ${colours.green(url)}${suffix}`);
}

/** The addresses of another door, as the clients of this one write them. */
function sharedPortLines({ clients, listening }: DoorEntry, listeners: RunningBroker['listeners']): string[] {
  if (!('sharesPortOf' in listening)) return [];
  const urls = urlsOf(listeners, listening.sharesPortOf).flatMap((url) => listening.clientUrl(url) ?? []);
  return urls.length === 0 ? [] : [`${clients} clients connect to ${urls.join(', ')}`];
}

function nextLines(
  frames: readonly string[],
  kafka: readonly string[],
  tls: CertificateFiles | undefined,
): string[] {
  if (frames[0] !== undefined) return nextCommands(frames[0], tls, programFolder());
  return kafka[0] === undefined ? [] : [nextKafkaCommand(kafka[0], tls, programFolder())];
}

function nextKafkaCommand(url: string, tls: CertificateFiles | undefined, folder: string): string {
  const flags = ['-address', url, ...(tls !== undefined && url.startsWith('tls:') ? tlsFlags(tls) : [])];
  return `${folder}tinymq topics list ${flags.map(shellWord).join(' ')}`;
}

function urlsOf(listeners: RunningBroker['listeners'], door: string): string[] {
  return listeners.filter((listener) => listener.door === door).map(({ url }) => url);
}

/** Command lines that reach a broker at `url` with programs from `folder`, which is empty or ends in a slash. */
export function nextCommands(url: string, tls: CertificateFiles | undefined, folder: string): string[] {
  const where = connectionFlags(url, tls)
    .map((argument) => ` ${shellWord(argument)}`)
    .join('');
  return [
    `${folder}subscriber${where} -topic 'sensors/#'`,
    `${folder}publisher${where} -topic sensors/temp -message 22.5 -interval 2`,
  ];
}

function connectionFlags(url: string, tls: CertificateFiles | undefined): string[] {
  if (url === 'tcp://localhost:1883') return [];
  const [, network, address] = /^([a-z]+):\/\/(.*)$/s.exec(url)!;
  const isPlainTcp = network === 'tcp';
  const flags = isPlainTcp ? ['-address', address] : ['-network', network, '-address', address];
  return tls !== undefined && (network === 'tls' || network === 'wss') ? [...flags, ...tlsFlags(tls)] : flags;
}

/** The files that `make certs` lays beside the broker's certificate, or names to fill in. */
function tlsFlags({ certFile, caFile }: CertificateFiles): string[] {
  const beside = (name: string) => {
    const path = join(dirname(certFile), name);
    return existsSync(path) ? path : name;
  };
  const flags = ['-tls-ca', beside('ca.crt')];
  if (caFile !== undefined) flags.push('-tls-cert', beside('client.crt'), '-tls-key', beside('client.key'));
  return flags;
}

/**
 * What stands before the name of a program: nothing where it is on the PATH; otherwise the folder, seen from here. The PATH
 * of a broker that npx started is not that of other terminals.
 */
export function programFolder(): string {
  const folder = process.env.TINYMQ_PROGRAM_FOLDER;
  const isPackage = folder?.split(sep).includes('node_modules') ?? false;
  if (isPackage && process.env.npm_command === 'exec') return 'npx ';
  if (folder === undefined || isOnPath(join(folder, 'subscriber'))) return '';
  const path = relative(process.cwd(), folder);
  return path.startsWith('..') ? `${folder}/` : `./${path}/`.replace('.//', './');
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => {
    try {
      return realpathSync(join(folder, 'subscriber')) === realpathSync(program);
    } catch {
      return false;
    }
  });
}

function shellWord(argument: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(argument) ? argument : shellQuoted(argument);
}
