import {
  createInbox,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NoRespondersError,
} from '@nats-io/transport-node';
import { jetStreamTimeoutMs, lookAgainMs, replicasAsked } from '../limits/cluster.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import type { NoteMessage } from './foreign-messages.ts';

/** A refusal of JetStream, with its own number for it. */
export class JetStreamError extends Error {
  override readonly name = 'JetStreamError';
  readonly code: number;

  constructor(code: number, description: string) {
    super(description);
    this.code = code;
  }
}

/** Numbers that JetStream gives to its refusals. */
export const JETSTREAM_ERRORS = {
  /** No server may hold the stream: too few of them, or none with the tags. */
  noSuitablePeers: 10_005,
  wrongLastSequence: 10_071,
  wrongLastSubjectSequence: 10_164,
  /** More than one replica, where the server is on its own. */
  replicasAlone: 10_074,
  streamNotFound: 10_059,
  noMessage: 10_037,
  nameInUse: 10_058,
} as const;

/** Whether a message or batch was refused because another one is the last of its stream, or of its subject. */
export function isWrongSequence(error: unknown): boolean {
  return error instanceof JetStreamError && WRONG_SEQUENCE.has(error.code);
}

const WRONG_SEQUENCE = new Set<number>([
  JETSTREAM_ERRORS.wrongLastSequence,
  JETSTREAM_ERRORS.wrongLastSubjectSequence,
]);

/** Whether NATS says that nobody listens there. */
export function isNobody(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof NoRespondersError) return true;
  }
  return false;
}

/** A message as JetStream gives it back. */
export interface StreamMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly headers: MsgHdrs | undefined;
  readonly body: Uint8Array;
}

/** What JetStream says of a stream. */
export interface StreamInfo {
  state: { last_seq: number; first_seq: number; messages: number };
  config: { num_replicas: number; placement?: { tags?: readonly string[] } };
}

/** A page of the subjects of a stream. */
interface SubjectsAnswer {
  readonly total: number;
  readonly state: { readonly subjects?: Readonly<Record<string, number>> };
}

/** A message as the leader of its stream tells it, with its headers and its body in base64. */
interface LeadersMessage {
  seq: number;
  hdrs?: string;
  data?: string;
}

interface ApiAnswer {
  error?: { code: number; err_code: number; description: string };
}

/** Headers of a message, and what else JetStream counts as payload. */
const HEADER_BYTES = 4_096;

/** The requests of JetStream that logs need, as they are on the wire. */
export class JetStream {
  readonly connection: NatsConnection;
  readonly noteForeign: NoteMessage;
  /** Told of the last message of a subject that is on no replica any more. */
  readonly noteLost: NoteMessage;

  constructor(
    connection: NatsConnection,
    noteForeign: NoteMessage = () => {},
    noteLost: NoteMessage = () => {},
  ) {
    this.connection = connection;
    this.noteForeign = noteForeign;
    this.noteLost = noteLost;
  }

  /** Bytes of the largest message that the servers take, without its headers. */
  get maxBodyBytes(): number {
    return this.connection.info!.max_payload - HEADER_BYTES;
  }

  /** @throws JetStreamError; StoreUnavailableError where nobody answers in time */
  async ask<T>(what: string, question: unknown = undefined): Promise<T> {
    const payload = question === undefined ? '' : JSON.stringify(question);
    const answer = (await this.#request(`$JS.API.${what}`, payload)).json<T & ApiAnswer>();
    if (answer.error !== undefined) throw refusalOf(answer.error);
    return answer;
  }

  /** Publishes one message and resolves with its sequence. @throws JetStreamError; StoreUnavailableError */
  async publish(
    subject: string,
    body: Uint8Array,
    fields: Readonly<Record<string, string>>,
  ): Promise<number> {
    const answer = (await this.#request(subject, body, headersOf(fields))).json<
      { seq: number } & ApiAnswer
    >();
    if (answer.error !== undefined) throw refusalOf(answer.error);
    return answer.seq;
  }

  /** Sends a message of which nothing is heard. */
  send(subject: string, body: Uint8Array, fields: Readonly<Record<string, string>>): void {
    this.connection.publish(subject, body, { headers: headersOf(fields) });
  }

  /** The first message of a filter at or above a sequence, from any replica; undefined where that has none. */
  async next(stream: string, filter: string, sequence: number): Promise<StreamMessage | undefined> {
    const question = JSON.stringify({ seq: sequence, next_by_subj: filter });
    const found = await this.#askAnyReplica((timeoutMs) =>
      this.#request(`$JS.API.DIRECT.GET.${stream}`, question, undefined, timeoutMs),
    );
    return messageOf(found);
  }

  /** The last message of a subject, from any replica; undefined where that has none, or cannot read it. */
  async lastAnywhere(stream: string, subject: string): Promise<StreamMessage | undefined> {
    const question = JSON.stringify({ last_by_subj: subject });
    const found = await this.#askAnyReplica((timeoutMs) =>
      this.#request(`$JS.API.DIRECT.GET.${stream}`, question, undefined, timeoutMs),
    );
    return messageOf(found);
  }

  /** The sequence of the last message of a stream, or of a filter; 0 where there is none. The leader says it. */
  async lastSequence(stream: string, filter?: string): Promise<number> {
    if (filter === undefined) return (await this.#insist<StreamInfo>(`STREAM.INFO.${stream}`)).state.last_seq;
    return (await this.#askLeader(stream, { last_by_subj: filter }))?.seq ?? 0;
  }

  /** The last message of a subject, from the leader; undefined where there is none. */
  async last(stream: string, subject: string): Promise<StreamMessage | undefined> {
    const message = await this.#askLeader(stream, { last_by_subj: subject });
    if (message === undefined) return undefined;
    const body = new Uint8Array(Buffer.from(message.data ?? '', 'base64'));
    return { subject, sequence: message.seq, headers: undefined, body };
  }

  /** A header of the last message of a subject, from the leader; undefined where there is no such message. */
  async headerOfLast(stream: string, subject: string, name: string): Promise<string | undefined> {
    const message = await this.#askLeader(stream, { last_by_subj: subject });
    if (message === undefined) return undefined;
    const lines = Buffer.from(message.hdrs ?? '', 'base64').toString('latin1');
    return new RegExp(`^${name}: ?(.*)\r$`, 'm').exec(lines)?.[1] ?? '';
  }

  /** Whether the leader has a message of a filter at or above a sequence. @throws JetStreamError; StoreUnavailableError */
  async has(stream: string, filter: string, sequence: number): Promise<boolean> {
    return (await this.#askLeader(stream, { seq: sequence, next_by_subj: filter })) !== undefined;
  }

  /** The subjects of a stream, or of a filter, and how many messages of each its leader counts, also where it cannot read them. */
  async subjects(stream: string, filter = '>'): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (let offset = 0, total = 1; offset < total; ) {
      const question = { subjects_filter: filter, offset };
      const answer = await this.ask<SubjectsAnswer>(`STREAM.INFO.${stream}`, question);
      const page = Object.entries(answer.state.subjects ?? {});
      if (page.length === 0) break;
      for (const [subject, count] of page) counts.set(subject, count);
      offset += page.length;
      total = answer.total;
    }
    return counts;
  }

  /** Asks again beside the questions that wait: nobody hears one that is asked before a leader is elected. The first answer counts. */
  #insist<T>(what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const again = setInterval(() => void this.ask<T>(what).then(answered, () => {}), lookAgainMs).unref();
      void this.ask<T>(what).then(answered, (error) => {
        clearInterval(again);
        reject(error);
      });
      function answered(answer: T): void {
        clearInterval(again);
        resolve(answer);
      }
    });
  }

  async #askLeader(stream: string, question: object): Promise<LeadersMessage | undefined> {
    try {
      return (await this.ask<{ message: LeadersMessage }>(`STREAM.MSG.GET.${stream}`, question)).message;
    } catch (error) {
      if (error instanceof JetStreamError && error.code === JETSTREAM_ERRORS.noMessage) return undefined;
      throw error;
    }
  }

  /**
   * Messages of a filter from a sequence on, from any replica: so many, and of so many bytes, at most.
   * @throws StoreUnavailableError
   */
  async several(
    stream: string,
    filter: string,
    sequence: number,
    count: number,
    maxBytes: number,
  ): Promise<StreamMessage[]> {
    const question = { seq: sequence, next_by_subj: filter, batch: count, max_bytes: maxBytes };
    const answers = await this.#askAnyReplica(async (silenceMs) => {
      const gathered = await this.#gather(
        `$JS.API.DIRECT.GET.${stream}`,
        JSON.stringify(question),
        silenceMs,
      );
      checkWhole(gathered);
      return gathered;
    });
    return answers.flatMap((answer) => messageOf(answer) ?? []);
  }

  /** NATS chooses who answers, which may be one that stands still: then another one is asked. */
  async #askAnyReplica<T>(ask: (timeoutMs: number) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await ask(jetStreamTimeoutMs / replicasAsked);
      } catch (error) {
        if (tries === replicasAsked) throw error;
      }
    }
  }

  /** All answers up to the one that is a status: that is the end, or a refusal. */
  #gather(subject: string, payload: string, silenceMs: number): Promise<Msg[]> {
    const gathered: Msg[] = [];
    return new Promise((resolve, reject) => {
      const inbox = createInbox();
      const timer = setTimeout(() => {
        subscription.unsubscribe();
        reject(new StoreUnavailableError('failed', 'NATS JetStream did not answer in time'));
      }, silenceMs);
      const subscription = this.connection.subscribe(inbox, {
        callback: (_error, answer) => {
          timer.refresh();
          gathered.push(answer);
          if ((answer.headers?.code ?? 0) === 0) return;
          clearTimeout(timer);
          subscription.unsubscribe();
          resolve(gathered);
        },
      });
      this.connection.publish(subject, payload, { reply: inbox });
    });
  }

  async #request(
    subject: string,
    payload: string | Uint8Array,
    headers?: MsgHdrs,
    timeout = jetStreamTimeoutMs,
  ): Promise<Msg> {
    try {
      return await this.connection.request(subject, payload, { timeout, headers });
    } catch (error) {
      throw new StoreUnavailableError(
        'failed',
        `NATS JetStream does not answer: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }
}

/** What is refused only for now, as there is no leader, is not a refusal. */
function refusalOf({ code, err_code, description }: NonNullable<ApiAnswer['error']>): Error {
  if (code !== UNAVAILABLE) return new JetStreamError(err_code, description);
  return new StoreUnavailableError('failed', `NATS JetStream is not ready: ${description}`);
}

const UNAVAILABLE = 503;

/**
 * Headers that are written once and never looked at: those of the client keep lists by names that they spell anew, which a message
 * of a log costs more than the rest. Names and values here are ours, and have no line breaks.
 */
class WrittenHeaders {
  readonly #text: string;

  constructor(fields: Readonly<Record<string, string>>) {
    let text = 'NATS/1.0\r\n';
    for (const name in fields) text += `${name}: ${fields[name]}\r\n`;
    this.#text = `${text}\r\n`;
  }

  encode(): Uint8Array {
    return Buffer.from(this.#text, 'latin1');
  }
}

/** The client asks nothing else of headers that it sends. */
function headersOf(fields: Readonly<Record<string, string>>): MsgHdrs {
  return new WrittenHeaders(fields) as unknown as MsgHdrs;
}

/**
 * What is sent while this side goes to another server is lost without a word; each answer names the message before it.
 * @throws StoreUnavailableError
 */
function checkWhole(answers: readonly Msg[]): void {
  let before = '0';
  for (const { headers } of answers) {
    if (headers?.has('Nats-Last-Sequence') && headers.get('Nats-Last-Sequence') !== before)
      throw new StoreUnavailableError('failed', 'an answer of NATS JetStream was lost on the way');
    before = headers?.get('Nats-Sequence') ?? '0';
  }
}

/** Undefined where the answer says that there is none. */
function messageOf({ headers, data }: Msg): StreamMessage | undefined {
  const sequence = Number(headers?.get('Nats-Sequence') ?? 0);
  if (headers === undefined || sequence === 0) return undefined;
  return { subject: headers.get('Nats-Subject'), sequence, headers, body: data };
}
