import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Message } from '../../pkg/client/index.ts';

export interface CommandOptions {
  /** A line for the shell. */
  command: string;
  parallel: number;
  retries: number;
  retryAfterMs: number;
  /** What is told of commands that fail. */
  complain(problem: string): void;
  /** The messages that wait are too many, or few again. */
  pause(): void;
  resume(): void;
  /** So many messages have been dealt with. */
  dealtWith(count: number): void;
}

/** Messages that wait for a command before no more are read. */
const WAITING = 1_000;

/**
 * Runs a command for each message, some of them side by side: a message is acknowledged when its command ends with 0, and
 * rejected when it failed as often as it may. One that was not dealt with when the program ends comes again.
 */
export class CommandRunner {
  readonly #options: CommandOptions;
  readonly #waiting: Message[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #places: number;
  #dealtWith = 0;
  #isPausing = false;

  constructor(options: CommandOptions) {
    this.#options = options;
    this.#places = options.parallel;
  }

  take(message: Message): void {
    this.#waiting.push(message);
    if (this.#waiting.length >= WAITING && !this.#isPausing) {
      this.#isPausing = true;
      this.#options.pause();
    }
    this.#next();
  }

  /** Lets the commands that run end, and begins no other. */
  async end(): Promise<void> {
    this.#stop.abort();
    this.#waiting.length = 0;
    await Promise.all(this.#running);
  }

  #next(): void {
    while (this.#places > 0 && !this.#stop.signal.aborted) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      if (this.#isPausing && this.#waiting.length < WAITING / 2) {
        this.#isPausing = false;
        this.#options.resume();
      }
      this.#begin(message);
    }
  }

  #begin(message: Message): void {
    const running = this.#dealWith(message);
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  async #dealWith(message: Message): Promise<void> {
    const { retries, retryAfterMs, complain } = this.#options;
    let problem: string | undefined;
    for (let attempt = 0; attempt <= retries; attempt++) {
      if (attempt > 0) await sleep(retryAfterMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      if (this.#stop.signal.aborted) return;
      this.#places--;
      problem = await problemOf(this.#options.command, message);
      this.#places++;
      if (problem === undefined) break;
      complain(`the command for a message on ${message.topic} ${problem}`);
      // Others go on while it waits.
      this.#next();
    }
    if (problem === undefined) message.ack();
    else message.reject(`the command ${problem}`);
    this.#options.dealtWith(++this.#dealtWith);
    this.#next();
  }
}

/** Runs the command once; what went wrong, if something did. */
function problemOf(command: string, message: Message): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, {
      shell: true,
      stdio: ['pipe', 'inherit', 'inherit'],
      env: environmentOf(message),
    });
    child.on('error', ({ message: why }) => resolve(`could not be run: ${why}`));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(code === null ? `was ended by ${signal}` : `ended with ${code}`);
    });
    // A command need not read what it is given.
    child.stdin.on('error', () => {});
    child.stdin.end(message.payload);
  });
}

/** A program has no NUL in its environment, and no line is there for what a message has not. */
function environmentOf(message: Message): NodeJS.ProcessEnv {
  const {
    topic,
    clientId,
    qos,
    retained,
    redelivered,
    contentType,
    replyTo,
    headers,
    log,
    partition,
    offset,
  } = message;
  const said: Record<string, unknown> = {
    TOPIC: topic,
    CLIENT: clientId,
    QOS: qos,
    RETAINED: retained ? 1 : 0,
    REDELIVERED: redelivered ? 1 : 0,
    CONTENT_TYPE: contentType,
    REPLY_TO: replyTo,
    HEADERS: JSON.stringify(headers),
    ...{ LOG: log, PARTITION: partition, OFFSET: offset },
  };
  const variables = Object.entries(said)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [`TINYMQ_MESSAGE_${name}`, String(value).replaceAll('\0', '')]);
  return { ...process.env, ...Object.fromEntries(variables) };
}
