import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { CertificateFiles, DoorName, RunningBroker } from '../../pkg/embed/index.ts';
import { coloursFor } from '../shared/run-program.ts';

export interface BannerOptions {
  version: string;
  listeners: RunningBroker['listeners'];
  tls: CertificateFiles | undefined;
  /** One JSON object instead of lines for people. */
  json: boolean;
}

/** What the broker prints when it has started: what is listening, and what to type next. */
export function banner({ version, listeners, tls, json }: BannerOptions): string {
  const frames = urlsOf(listeners, 'frames');
  const kafka = urlsOf(listeners, 'kafka');
  const grpc = urlsOf(listeners, 'grpc');
  if (json) return `${JSON.stringify({ version, pid: process.pid, listeners: frames, kafka, grpc })}\n`;
  const colours = coloursFor(process.stdout);
  const lines = [
    `${colours.bold(`tinymq ${version}`)} is listening on`,
    ...frames.map((url) => `  ${colours.green(url)}`),
    ...kafka.map((url) => `  ${colours.green(url)}  for Kafka clients`),
    ...grpc.map((url) => `  ${colours.green(url)}  for SMQ clients`),
    '',
    ...(frames.length === 0 ? [] : ['In another terminal:']),
    ...frames
      .slice(0, 1)
      .flatMap((url) => nextCommands(url, tls, programFolder()))
      .map((line) => `  ${colours.cyan(line)}`),
    ...(frames.length === 0 ? [] : ['']),
    'Stop with Ctrl-C.',
    '',
  ];
  return lines.join('\n');
}

function urlsOf(listeners: RunningBroker['listeners'], door: DoorName): string[] {
  return listeners.filter((listener) => listener.door === door).map(({ url }) => url);
}

/** Command lines that reach a broker at `url` with programs from `folder`, which is empty or ends in a slash. */
export function nextCommands(url: string, tls: CertificateFiles | undefined, folder: string): string[] {
  const where = connectionFlags(url, tls)
    .map((argument) => ` ${shellQuoted(argument)}`)
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
  const flags = isPlainTcp ? ['-address', address!] : ['-network', network!, '-address', address!];
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

/** Nothing where the programs are on the PATH; otherwise the folder, seen from here. */
function programFolder(): string {
  const folder = process.env.TINYMQ_PROGRAM_FOLDER;
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

function shellQuoted(argument: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
