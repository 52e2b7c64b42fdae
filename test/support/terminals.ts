import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type Running, start } from './broker-process.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What programs that serve print when they do. */
const SERVING: Record<string, string> = {
  broker: 'is listening on',
  smq: 'is listening on',
  dashmq: 'is listening on',
  mosquitto: ' running',
  hass: 'is connected',
  'node-red': 'Connected to broker',
  telegraf: '[inputs.mqtt_consumer] Connected',
};
/** Flags of `broker` that leave its default doors closed. */
const NAMES_LISTENERS =
  '*" -address"*|*" -listen"*|*" -network"*|*" -kafka"*|*" -grpc"*|*" -http"*|*" -config"*|*.properties*';

/** The ports that pages name, and others in their place: so that several tests run on a machine with brokers of its own. */
export type Ports = ReadonlyMap<string, number>;

/** Other ports for those that the documentation names. */
export async function otherPorts(): Promise<Ports> {
  const ports = new Map<string, number>();
  for (const name of ['1883', '1884', '8883', '8080', '8081', '8083', '9092', '9093', '8097', '1880']) {
    ports.set(name, await freePort());
  }
  return ports;
}

/** A command that was typed. */
export interface Typed extends Running {
  readonly line: string;
}

/** Terminals of a user, who types the commands of a page: one for each program that goes on running. */
export class Terminals implements AsyncDisposable {
  readonly typed: Typed[] = [];
  readonly #folder: string;
  readonly #ports: Ports;
  readonly #env: NodeJS.ProcessEnv;

  /** @param ports in place of those that pages name; none for a test that has the machine to itself. */
  constructor(folder: string, ports: Ports = new Map()) {
    this.#folder = folder;
    this.#ports = ports;
    const path = [join(ROOT, 'bin'), join(ROOT, 'node_modules/.bin'), process.env.PATH];
    if (ports.size > 0) path.unshift(this.#programsOfOtherPorts());
    this.#env = { PATH: path.join(delimiter), NO_COLOR: '1', ...this.#settings() };
  }

  /** What a page says, with the ports of this test. */
  withPorts(text: string): string {
    return text.replaceAll(/\b\d{4}\b/g, (port) => String(this.#ports.get(port) ?? port));
  }

  /** Types a command, and waits until the next one may be typed. A comment says what is not as usual. */
  async type(written: string): Promise<void> {
    const [, name] = /^# Ctrl-C: (\S+)/.exec(written) ?? [];
    if (name !== undefined) return this.interrupt(this.last(name, isRunning));
    const line = this.withPorts(written);
    const broker = this.typed.findLast((typed) => programOf(typed.line) === 'broker' && isRunning(typed));
    const subscriptions = broker === undefined ? 0 : subscriptionsOf(broker);
    const started: Typed = { line, ...this.#start(line) };
    this.typed.push(started);
    if (isServing(line)) return printed(started, SERVING[programOf(line)]!);
    if (isSubscribing(line)) {
      await eventually(
        () => subscriptionsOf(broker!) > subscriptions || endedBadly(started),
        `the subscription of ${line}`,
      );
    } else if (goesOn(line)) {
      await printed(started, '\n');
    } else {
      await eventually(() => !isRunning(started), `the end of ${line}`);
      const { code, stdout, stderr } = await started.ended;
      expect(code, `${line}\n${stdout}${stderr}`).toBe(exitCodeOf(line) ?? 0);
    }
  }

  /** The last command that was typed; the last of this program, where one is named. */
  last(program = '', isWanted: (typed: Typed) => boolean = () => true): Typed {
    const isOne = (typed: Typed) => (program === '' || programOf(typed.line) === program) && isWanted(typed);
    const found = this.typed.findLast(isOne);
    if (found === undefined) throw new Error(`no command of ${program} was typed`);
    return found;
  }

  /** Ends a program as a user does. */
  async interrupt({ child, ended, line }: Typed): Promise<void> {
    if (child.exitCode === null) child.kill('SIGINT');
    const { code, signal, stderr } = await ended;
    // What has no handler of its own ends by the signal.
    if (signal !== 'SIGINT') expect(code, `${line}\n${stderr}`).toBe(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.typed.filter(isRunning)) {
      running.child.kill('SIGTERM');
      await Promise.race([running.ended, new Promise((resolve) => setTimeout(resolve, 5_000).unref())]);
      running.child.kill('SIGKILL');
    }
  }

  #start(line: string): Running {
    const isEndless = isServing(line) || isSubscribing(line) || goesOn(line);
    // A signal is for the program, not for its shell.
    const isAlone = isEndless && !line.includes('|') && !line.includes('&&');
    const script = isAlone ? line.replace(/^((?:\w+=\S+ )*)/, '$1exec ') : line;
    return start('sh', ['-c', script], { cwd: this.#folder, env: { ...this.#env, ...reporting(line) } });
  }

  /** Programs on the PATH that find the ports of this test where nothing names others. */
  #programsOfOtherPorts(): string {
    const folder = join(this.#folder, '.bin');
    mkdirSync(folder);
    const doors = `-address localhost:1883 -kafka localhost:9092 -grpc localhost:8097 -http localhost:8080`;
    const broker = `#!/bin/sh
case " $*" in
  ${NAMES_LISTENERS}) exec '${join(ROOT, 'bin/broker')}' "$@" ;;
  *) exec '${join(ROOT, 'bin/broker')}' ${this.withPorts(doors)} "$@" ;;
esac
`;
    const live = (name: string) => `#!/bin/sh
TINYMQ_ADDRESS=\${TINYMQ_ADDRESS-localhost:${this.#ports.get('1883')}} exec '${join(ROOT, 'bin', name)}' "$@"
`;
    const programs = { broker, publisher: live('publisher'), subscriber: live('subscriber') };
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(folder, name), script);
      chmodSync(join(folder, name), 0o755);
    }
    return folder;
  }

  /** Settings of other programs, in a folder that none of the user's is read from. */
  #settings(): NodeJS.ProcessEnv {
    if (this.#ports.size === 0) return {};
    const config = join(this.#folder, '.config');
    mkdirSync(config);
    for (const client of ['mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr']) {
      writeFileSync(join(config, client), `-p ${this.#ports.get('1883')}\n`);
    }
    return { XDG_CONFIG_HOME: config, TINYMQ_KAFKA_ADDRESS: `localhost:${this.#ports.get('9092')}` };
  }
}

/** The program that a command starts, without its folder. */
function programOf(line: string): string {
  return /^(?:\w+=\S+ )*(?:\S*\/)?(\S+)/.exec(line)?.[1] ?? '';
}

/** The broker logs what it counts, so that it is known when somebody has subscribed. */
function reporting(line: string): NodeJS.ProcessEnv {
  return programOf(line) === 'broker' ? { TINYMQ_STATS: '100ms', TINYMQ_LOG_FORMAT: 'json' } : {};
}

/** The code with which a command ends by itself, as its comment says. */
function exitCodeOf(line: string): number | undefined {
  const [, code] = /# exit code (\d+)/.exec(line) ?? [];
  return code === undefined ? undefined : Number(code);
}

function isServing(line: string): boolean {
  if (exitCodeOf(line) !== undefined) return false;
  return programOf(line) in SERVING && !/ -check-config| -help| -version|^\S+ config /.test(line);
}

/** Whether a command waits for messages that are published later. */
function isSubscribing(line: string): boolean {
  const program = programOf(line);
  if (exitCodeOf(line) !== undefined) return false;
  if (program === 'subscriber') return !/ -from .* -count | -count .* -from /.test(`${line} `);
  return program === 'mosquitto_sub' && !/ -[CEW] | -E$/.test(line);
}

function goesOn(line: string): boolean {
  return line.includes('# until Ctrl-C') || (programOf(line) === 'publisher' && line.includes(' -interval '));
}

function isRunning({ child }: Typed): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** The newest count of subscriptions in the log of a broker. */
function subscriptionsOf(broker: Running): number {
  return Number([...broker.stderr().matchAll(/"subscriptions":(\d+)/g)].at(-1)?.[1] ?? 0);
}

function endedBadly({ child, line, stderr }: Typed): false {
  if (child.exitCode) throw new Error(`${line}: ${stderr()}`);
  return false;
}

/** Waits until a program that goes on running has printed a text. */
export async function printed(running: Typed, text: string): Promise<void> {
  const look = () => {
    endedBadly(running);
    return `${running.stdout()}${running.stderr()}`.includes(text);
  };
  await eventually(look, `'${text}' of ${running.line}`);
}
