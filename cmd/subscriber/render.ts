import type { ChalkInstance } from 'chalk';
import { jsonLine, jsonPayload, printable, printableText } from '../../internal/lib/printable.ts';
import type { Message } from '../../pkg/client/index.ts';
import { UsageError } from '../cli/options/program.ts';
import { mosquittoFormat } from './mosquitto-format.ts';

export interface RenderOptions {
  format: string | undefined;
  'mosquitto-format': string | undefined;
  verbose: boolean;
  'omit-newline': boolean;
  raw: boolean;
  json: boolean;
  stats: boolean;
}

/** Turns a message into what is printed for it. */
export type Renderer = (message: Message) => string | Uint8Array;

/**
 * How messages are printed; undefined where only their rate is shown.
 *
 * @param complain is told of what cannot be printed as it was asked for.
 * @throws UsageError where the flags contradict each other or the template is wrong.
 */
export function rendererOf(
  options: RenderOptions,
  colours: ChalkInstance,
  complain: (problem: string) => void = () => {},
): Renderer | undefined {
  const {
    format,
    'mosquitto-format': borrowed,
    verbose,
    'omit-newline': isEndless,
    raw,
    json,
    stats,
  } = options;
  const ways = [format !== undefined, borrowed !== undefined, verbose, raw, json];
  if (ways.filter(Boolean).length > 1) {
    throw new UsageError('-format, -mosquitto-format, -verbose, -raw and -json do not go together');
  }
  if (isEndless && (json || format !== undefined)) {
    throw new UsageError('-omit-newline does not go together with -json and -format');
  }
  const end = isEndless ? '' : '\n';
  if (borrowed !== undefined) return mosquittoFormat(borrowed, end, complain);
  if (verbose)
    return ({ topic, payload }) => Buffer.concat([Buffer.from(`${topic} `), payload, Buffer.from(end)]);
  if (raw || (isEndless && !stats)) return (message) => message.payload;
  if (json) return renderJson;
  if (format !== undefined) return renderTemplate(format);
  if (stats) return undefined;
  return (message) =>
    `Received on ${colours.cyan(printableText(message.topic))}: ${printable(message.payload)}\n`;
}

/** Where a message came from no log, nothing is said of a log. */
function renderJson(message: Message): string {
  const { topic, clientId, payload, log, partition, offset } = message;
  const publishedAt = message.publishedAt?.toISOString();
  const time = new Date().toISOString();
  const place = { log, partition, offset, publishedAt };
  return jsonLine({ topic, ...jsonPayload(payload), clientId, ...saidBeside(message), ...place, time });
}

/** What was said with a message; nothing of one with which nothing was. */
function saidBeside(message: Message) {
  const { qos, retained, redelivered, headers, contentType, replyTo, correlation, expiresIn } = message;
  return {
    qos: qos || undefined,
    retained: retained || undefined,
    redelivered: redelivered || undefined,
    headers: Object.keys(headers).length === 0 ? undefined : headers,
    ...{ contentType, replyTo, expiresIn },
    correlation: correlation && Buffer.from(correlation).toString('base64'),
  };
}

/** What stands for a place in a log, or a time, that a message does not have. */
const NONE = '-';

const FIELDS: Record<string, ((message: Message) => string) | undefined> = {
  t: (message) => printableText(message.topic),
  p: (message) => printable(message.payload),
  x: (message) => Buffer.from(message.payload).toString('hex'),
  l: (message) => String(message.size),
  i: (message) => printableText(message.clientId),
  T: () => new Date().toISOString(),
  P: (message) => message.publishedAt?.toISOString() ?? NONE,
  o: (message) => message.offset?.toString() ?? NONE,
  L: (message) => printableText(message.log ?? NONE),
  n: (message) => message.partition?.toString() ?? NONE,
  '%': () => '%',
};
const LETTERS = Object.keys(FIELDS)
  .map((letter) => `%${letter}`)
  .join(' ');
const ESCAPES: Record<string, string | undefined> = { n: '\n', t: '\t', '\\': '\\' };

/** A template without a line break of its own gets one at its end. */
function renderTemplate(template: string): Renderer {
  const parts: (string | ((message: Message) => string))[] = [];
  for (const [piece] of template.matchAll(/%.?|\\.?|[^%\\]+/gsu)) {
    if (piece[0] === '%') {
      const field = FIELDS[piece.slice(1)];
      if (field === undefined) throw new UsageError(`-format: '${piece}' is not one of ${LETTERS}`);
      parts.push(field);
    } else if (piece[0] === '\\') {
      const character = ESCAPES[piece.slice(1)];
      if (character === undefined) throw new UsageError(`-format: '${piece}' is not one of \\n \\t \\\\`);
      parts.push(character);
    } else {
      parts.push(piece);
    }
  }
  if (!parts.some((part) => typeof part === 'string' && part.includes('\n'))) parts.push('\n');
  return (message) => parts.map((part) => (typeof part === 'string' ? part : part(message))).join('');
}
