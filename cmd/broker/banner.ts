import { relative } from 'node:path';
import type { RunningBroker } from '../../pkg/embed/index.ts';
import { coloursFor } from '../shared/run-program.ts';

/** What the broker prints when it has started: what is listening, and what to type next. */
export function banner(broker: RunningBroker, version: string, options: { json: boolean }): string {
  const listeners = broker.listeners.map(({ url }) => url);
  if (options.json) return `${JSON.stringify({ version, pid: process.pid, listeners })}\n`;
  const colours = coloursFor(process.stdout);
  const lines = [
    `${colours.bold(`tinymq ${version}`)} is listening on`,
    ...listeners.map((url) => `  ${colours.green(url)}`),
    '',
    'In another terminal:',
    ...nextCommands(listeners[0]!).map((line) => `  ${colours.cyan(line)}`),
    '',
    'Stop with Ctrl-C.',
    '',
  ];
  return lines.join('\n');
}

/** Command lines that reach this broker from where it was started. */
function nextCommands(url: string): string[] {
  const where = connectionFlags(url);
  const folder = programFolder();
  return [
    `${folder}subscriber${where} -topic 'sensors/#'`,
    `${folder}publisher${where} -topic sensors/temp -message 22.5 -interval 2`,
  ];
}

function connectionFlags(url: string): string {
  const [, network, address] = /^([a-z]+):\/\/(.*)$/s.exec(url)!;
  if (url === 'tcp://localhost:1883') return '';
  const tls = network === 'tls' || network === 'wss' ? ' -tls-ca ca.crt' : '';
  const flag = network === 'tcp' || network === 'tls' ? '' : ` -network ${network}`;
  return `${flag} -address ${address}${tls}`;
}

/** `./bin/` where the programs of a checkout were started by their path; nothing where they are on the PATH. */
function programFolder(): string {
  const folder = process.env.TINYMQ_PROGRAM_FOLDER;
  if (folder === undefined || process.env.PATH?.split(':').includes(folder)) return '';
  return `./${relative(process.cwd(), folder)}/`.replace('.//', './');
}
