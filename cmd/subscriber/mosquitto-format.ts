import { pairsOf } from '../../pkg/client/headers.ts';
import type { Message } from '../../pkg/client/index.ts';
import { UsageError } from '../cli/options/program.ts';
import { strftime } from './strftime.ts';

/** How a value is fitted into its column. */
interface Fit {
  isLeft: boolean;
  pad: ' ' | '0';
  /** 0: as wide as it is. */
  width: number;
  /** The most characters of a text; undefined: all. */
  precision: number | undefined;
}

/** When a message is printed. */
interface Moment {
  date: Date;
  nanoseconds: number;
}

/** A part of a line; undefined where the message has no such line at all. */
type Part = string | ((message: Message, now: Moment) => string | Uint8Array | undefined);

/**
 * A format of `mosquitto_sub -F`, with the meaning that it has there: `%` and what is said of a message, `@` and a letter of
 * strftime, `\` and a letter. What only packets of MQTT have (alias, packet id, subscription identifier) is as there where a
 * message has none.
 *
 * @param end what stands behind each message.
 * @param complain is told of a payload that is not JSON though the format says so.
 * @throws UsageError where the format ends in the middle of a sequence, or has a letter that means nothing.
 */
export function mosquittoFormat(
  format: string,
  end: string,
  complain: (problem: string) => void,
): (message: Message) => Uint8Array {
  const parts = [...format.matchAll(SEQUENCE)].map(([piece, ...groups]) => partOf(piece, groups, complain));
  return (message) => {
    const now = momentOf();
    const line: Uint8Array[] = [];
    for (const part of parts) {
      const value = typeof part === 'string' ? part : part(message, now);
      if (value !== undefined) line.push(typeof value === 'string' ? Buffer.from(value) : value);
    }
    line.push(Buffer.from(end));
    return Buffer.concat(line);
  };
}

const SEQUENCE = /%(-?)(0?)(\d*)(?:\.(\d*))?(.?)|@(.?)|\\(.?)|[^%@\\]+/gsu;

function partOf(piece: string, groups: (string | undefined)[], complain: (problem: string) => void): Part {
  const [left, zero, width, precision, letter, ofTime, escaped] = groups;
  if (letter !== undefined) {
    const fit: Fit = {
      isLeft: left === '-',
      pad: zero === '0' ? '0' : ' ',
      width: Number(width),
      precision: precision === undefined ? undefined : Number(precision),
    };
    return fieldOf(piece, letter, fit, complain);
  }
  if (ofTime !== undefined) return timeOf(piece, ofTime);
  if (escaped === undefined) return piece;
  if (!Object.hasOwn(ESCAPES, escaped)) throw unknown(piece);
  return ESCAPES[escaped]!;
}

const ESCAPES: Record<string, string> = {
  ...{ '\\': '\\', '0': '\0', a: '\x07', e: '\x1b' },
  ...{ n: '\n', r: '\r', t: '\t', v: '\v' },
};

function timeOf(piece: string, letter: string): Part {
  if (letter === '@') return '@';
  if (letter === 'N') return (_, { nanoseconds }) => String(nanoseconds).padStart(9, '0');
  if (strftime(letter, new Date(0)) === undefined) throw unknown(piece);
  return (_, { date }) => strftime(letter, date);
}

function fieldOf(piece: string, letter: string, fit: Fit, complain: (problem: string) => void): Part {
  const number = (value: number | undefined) =>
    value === undefined ? fit.pad.repeat(fit.width) : fitNumber(value, fit);
  const text = (value: string | undefined) =>
    value === undefined ? ' '.repeat(fit.width) : fitText(value, fit);
  switch (letter) {
    case '%':
      return '%';
    case 'A':
    case 'F':
    case 'S':
      return () => number(undefined);
    case 'C':
      return ({ contentType }) => text(contentType);
    case 'D':
      return ({ correlation }) => correlation;
    case 'E':
      return ({ expiresIn }) => number(expiresIn === undefined ? undefined : Math.ceil(expiresIn / 1000));
    case 'P':
      return ({ headers }) =>
        pairsOf(headers)
          .map((pair) => pair.join(':'))
          .join(' ');
    case 'R':
      return ({ replyTo }) => (replyTo === undefined ? '' : text(replyTo));
    case 'I':
      return (_, { date }) => text(`${strftime('F', date)}T${strftime('T', date)}${strftime('z', date)}`);
    case 'j':
      return (message, now) => jsonOf(message, now, message.size === 0 ? null : message.text());
    case 'J':
      return (message, now) => withJsonPayload(message, now, complain);
    case 'l':
      return ({ size }) => number(size);
    case 'm':
      return () => number(0);
    case 'p':
      return ({ payload }) => fitBytes(payload, fit, 'as it is');
    case 'q':
      return ({ qos }) => String(qos);
    case 'r':
      return ({ retained }) => (retained ? '1' : '0');
    case 't':
      return ({ topic }) => text(topic);
    case 'U':
      return (_, { date, nanoseconds }) => `${strftime('s', date)}.${String(nanoseconds).padStart(9, '0')}`;
    case 'x':
      return ({ payload }) => fitBytes(payload, fit, 'lower');
    case 'X':
      return ({ payload }) => fitBytes(payload, fit, 'upper');
    default:
      throw unknown(piece);
  }
}

/** As printf does: zeros on the left only. */
function fitNumber(value: number, { isLeft, pad, width }: Fit): string {
  const digits = String(value);
  return isLeft ? digits.padEnd(width) : digits.padStart(width, pad);
}

function fitText(value: string, { isLeft, width, precision }: Fit): string {
  const bytes = Buffer.from(value);
  const cut =
    precision === undefined || precision >= bytes.length ? value : wholeCharacters(bytes, precision);
  const missing = ' '.repeat(Math.max(0, width - Buffer.byteLength(cut)));
  return isLeft ? cut + missing : missing + cut;
}

/** Columns are counted in bytes, as printf does, and no character is cut in two. */
function wholeCharacters(bytes: Buffer, length: number): string {
  let end = length;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** A payload is cut to its column, and where it has one half of that is shown in hex: so it is there. */
function fitBytes(
  payload: Uint8Array,
  { isLeft, pad, width }: Fit,
  how: 'as it is' | 'lower' | 'upper',
): Uint8Array {
  const isHalved = width > 0 && how !== 'as it is';
  const fitting = width === 0 ? payload.length : Math.min(payload.length, width);
  const most = isHalved ? Math.floor(fitting / 2) : fitting;
  const bytes = Buffer.from(payload.subarray(0, most));
  const shown = how === 'as it is' ? bytes : Buffer.from(bytes.toString('hex'));
  const cased = how === 'upper' ? Buffer.from(shown.toString().toUpperCase()) : shown;
  const missing = Buffer.alloc(Math.max(0, width - cased.length), isLeft ? ' ' : pad);
  return Buffer.concat(isLeft ? [cased, missing] : [missing, cased]);
}

function withJsonPayload(
  message: Message,
  now: Moment,
  complain: (problem: string) => void,
): string | undefined {
  try {
    return jsonOf(message, now, message.size === 0 ? null : message.json());
  } catch {
    complain(`Message payload is not valid JSON on topic ${message.topic}`);
    return undefined;
  }
}

function jsonOf(
  { topic, size, qos, retained }: Message,
  { date, nanoseconds }: Moment,
  payload: unknown,
): string {
  const microseconds = String(Math.floor(nanoseconds / 1000)).padStart(6, '0');
  const tst = `${strftime('F', date)}T${strftime('T', date)}.${microseconds}${strftime('z', date)}`;
  return JSON.stringify({ tst, topic, qos, retain: retained ? 1 : 0, payloadlen: size, payload });
}

/** The clock of the day has milliseconds; what is below them comes from the one that measures. */
function momentOf(): Moment {
  const ms = performance.timeOrigin + performance.now();
  const date = new Date(ms);
  return { date, nanoseconds: Math.floor((ms - Math.floor(ms / 1000) * 1000) * 1e6) };
}

function unknown(piece: string): UsageError {
  return new UsageError(
    `-F: '${piece}' is not one of the sequences that mosquitto_sub has (docs/mosquitto-tools.md)`,
  );
}
