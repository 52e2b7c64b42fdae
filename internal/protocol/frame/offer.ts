import { base64Of, bytesOfBase64 } from './base64.ts';
import { FrameError } from './frame.ts';

/**
 * The words of the form `NAME=VALUE` that follow the names of extensions in CONNECT, and in its answer (docs/frames.md).
 * Values of bytes are in base64 (RFC 4648, section 4).
 */

/** What a client says of the extensions that it offers. */
export interface Offer {
  /** `session`: how long it outlasts the connection, in milliseconds; Infinity: for ever. */
  sessionExpiryMs?: number;
  /** `session`: whether what was there before is not wanted. */
  startsClean?: boolean;
  /** `delivery`: messages that the client takes before it acknowledges any. */
  window?: number;
  /** `once`: which numbering goes on. */
  producer?: string;
  /** `once`: the last number that was acknowledged to the client. */
  acknowledged?: number;
  /** `will`: a PUBLISH frame. */
  will?: Uint8Array;
  /** `will`: how long it waits. */
  willDelayMs?: number;
}

/** What the broker says of the extensions that it agreed to. */
export interface OfferAnswer {
  /** `session`: whether it was there before. */
  isResumed?: boolean;
  /** `delivery`: messages that the broker sends before the client has to acknowledge any. */
  window?: number;
  /** `once`: the number behind which the client goes on. */
  last?: number;
}

/** The largest window. */
export const MAX_WINDOW = 65_535;
const NEVER = 'never';
const MS = 1_000;
const MAX_SECONDS = 0xffff_ffff;
const PRODUCER = /^[A-Za-z0-9._-]{1,64}$/;

/** The words of an offer, behind the names. */
export function formatOffer(offer: Offer): string {
  const { sessionExpiryMs, startsClean, window, producer, acknowledged, will, willDelayMs } = offer;
  const words: string[] = [];
  if (sessionExpiryMs !== undefined) words.push(`session-expiry=${secondsWord(sessionExpiryMs)}`);
  if (startsClean) words.push('session-start=clean');
  if (window !== undefined) words.push(`window=${window}`);
  if (producer !== undefined) words.push(`producer=${producer}`);
  if (acknowledged !== undefined) words.push(`acked=${acknowledged}`);
  if (will !== undefined) words.push(`will=${base64Of(will)}`);
  if (willDelayMs !== undefined) words.push(`will-delay=${secondsWord(willDelayMs)}`);
  return words.join(' ');
}

/** What CONNECT says of its extensions. Words that are unknown are passed over. @throws FrameError `meaningless`. */
export function parseOffer(payload: Uint8Array): Offer {
  const words = wordsOf(payload);
  const offer: Offer = {};
  const expiry = words.get('session-expiry');
  if (expiry !== undefined)
    offer.sessionExpiryMs = expiry === NEVER ? Number.POSITIVE_INFINITY : msOf(expiry);
  const start = words.get('session-start');
  if (start !== undefined && start !== 'clean') throw meaningless('session-start');
  if (start !== undefined) offer.startsClean = true;
  const window = words.get('window');
  if (window !== undefined) offer.window = numberOf(window, 1, MAX_WINDOW, 'window');
  const producer = words.get('producer');
  if (producer !== undefined && !PRODUCER.test(producer)) throw meaningless('producer');
  if (producer !== undefined) offer.producer = producer;
  const acked = words.get('acked');
  if (acked !== undefined) offer.acknowledged = numberOf(acked, 0, Number.MAX_SAFE_INTEGER, 'acked');
  const will = words.get('will');
  if (will !== undefined) offer.will = bytesOf(will);
  const delay = words.get('will-delay');
  if (delay !== undefined) offer.willDelayMs = msOf(delay);
  return offer;
}

/** The words of the answer, behind the names. */
export function formatOfferAnswer({ isResumed, window, last }: OfferAnswer): string {
  const words: string[] = [];
  if (isResumed) words.push('resumed');
  if (window !== undefined) words.push(`window=${window}`);
  if (last !== undefined) words.push(`last=${last}`);
  return words.join(' ');
}

/** What CONNACK says of the extensions that it names. @throws FrameError `meaningless`. */
export function parseOfferAnswer(payload: Uint8Array): OfferAnswer {
  const words = wordsOf(payload);
  const answer: OfferAnswer = { isResumed: allWords(payload).includes('resumed') };
  const window = words.get('window');
  if (window !== undefined) answer.window = numberOf(window, 1, MAX_WINDOW, 'window');
  const last = words.get('last');
  if (last !== undefined) answer.last = numberOf(last, 0, Number.MAX_SAFE_INTEGER, 'last');
  return answer;
}

/** The values by their names. Words without a value are names of extensions. */
function wordsOf(payload: Uint8Array): Map<string, string> {
  const words = new Map<string, string>();
  for (const word of allWords(payload)) {
    const end = word.indexOf('=');
    if (end <= 0) continue;
    const name = word.slice(0, end);
    if (words.has(name)) throw new FrameError('meaningless', 'offer', `has ${name} twice`);
    words.set(name, word.slice(end + 1));
  }
  return words;
}

function allWords(payload: Uint8Array): string[] {
  return new TextDecoder().decode(payload).split(' ');
}

function secondsWord(ms: number): string {
  return ms === Number.POSITIVE_INFINITY ? NEVER : String(Math.ceil(ms / MS));
}

function msOf(word: string): number {
  return numberOf(word, 0, MAX_SECONDS, 'a time') * MS;
}

function numberOf(word: string, least: number, most: number, name: string): number {
  const number = /^\d{1,16}$/.test(word) ? Number(word) : -1;
  if (number < least || number > most) throw meaningless(name);
  return number;
}

function bytesOf(base64: string): Uint8Array {
  const bytes = bytesOfBase64(base64);
  if (bytes === undefined) throw meaningless('will');
  return bytes;
}

function meaningless(name: string): FrameError {
  return new FrameError('meaningless', 'offer', `has a value of ${name} that says nothing`);
}
