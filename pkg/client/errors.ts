import { shownAddress } from '../../internal/lib/shown-address.ts';
import { issueLine, type StandardIssue } from './standard-schema.ts';

/** What every error of the SDK is. The message is one line for people; `code` is for programs. */
export class TinymqError extends Error {
  override readonly name: string = 'TinymqError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The broker could not be reached, or the connection broke off. */
export class ConnectError extends TinymqError {
  override readonly name = 'ConnectError';
  /** The broker's address, as a URL. */
  readonly address: string;

  constructor(address: string, reason: string, cause?: unknown) {
    super('connect-failed', `cannot connect to ${shownAddress(address)}: ${reason}`, { cause });
    this.address = address;
  }
}

/** A connection that had been open broke off. */
export class ConnectionLostError extends TinymqError {
  override readonly name = 'ConnectionLostError';

  constructor(address: string, reason: string, cause?: unknown) {
    super('connection-lost', `the connection to ${shownAddress(address)} broke off: ${reason}`, { cause });
  }
}

/** The broker refused something and said why. `code` is the broker's own (docs/errors.md). */
export class RefusedError extends TinymqError {
  override readonly name = 'RefusedError';
  /** The topic or the filter that was refused, where the broker named it. */
  readonly topic: string | undefined;

  /** @param reason the broker's words: `code: what was wrong`. */
  constructor(reason: string, topic?: string) {
    super(
      /^([a-z][a-z-]*)(?=:|$)/.exec(reason)?.[1] ?? 'refused',
      reason === '' ? 'the broker closed' : reason,
    );
    this.topic = topic;
  }
}

/** Something took longer than it may. */
export class TimeoutError extends TinymqError {
  override readonly name = 'TimeoutError';

  constructor(what: string, afterMs: number) {
    super('timeout', `${what} within ${afterMs} ms`);
  }
}

/** The client is closed, or was never connected. */
export class ClosedError extends TinymqError {
  override readonly name = 'ClosedError';

  constructor(message = 'the client is closed') {
    super('closed', message);
  }
}

/** A topic or a filter breaks the rules; nothing was sent. */
export class InvalidTopicError extends TinymqError {
  override readonly name = 'InvalidTopicError';

  constructor(what: 'topic' | 'filter', name: string, problem: string) {
    super(`invalid-${what}`, `${what} '${name.slice(0, 80)}': ${problem}`);
  }
}

/** What came from the other side is not the protocol. */
export class ProtocolError extends TinymqError {
  override readonly name = 'ProtocolError';

  constructor(message: string, cause?: unknown) {
    super('protocol-error', message, { cause });
  }
}

/** The broker does not offer what was asked for; `code` is `not-supported`. Nothing was done instead. */
export class UnsupportedError extends RefusedError {
  /** The extension of the frame protocol that it lacks (docs/frames.md). */
  readonly extension: string;

  constructor(extension: string, what: string, topic?: string) {
    super(`not-supported: the broker does not offer what ${what} needs: the extension ${extension}`, topic);
    this.extension = extension;
  }
}

/** As much as may wait for acknowledgements does; the message was not taken. */
export class QueueFullError extends TinymqError {
  override readonly name = 'QueueFullError';

  constructor(what: string) {
    super('queue-full', `${what} wait for the broker already`);
  }
}

/** The file of a queue could not be used; what was to be written is not in it. */
export class QueueFileError extends TinymqError {
  override readonly name = 'QueueFileError';
  readonly file: string;

  constructor(
    code: 'queue-in-use' | 'queue-failed' | 'queue-damaged',
    file: string,
    reason: string,
    cause?: unknown,
  ) {
    super(code, `the queue ${file}: ${reason}`, { cause });
    this.file = file;
  }
}

/** A message does not fit the schema of its topic. */
export class InvalidMessageError extends TinymqError {
  override readonly name = 'InvalidMessageError';
  readonly topic: string;
  /** What the validator said. */
  readonly issues: readonly StandardIssue[];

  constructor(topic: string, issues: readonly StandardIssue[]) {
    super(
      'invalid-message',
      `a message to ${topic} does not fit its schema: ${issues.map(issueLine).join('; ')}`,
    );
    this.topic = topic;
    this.issues = issues;
  }
}

/** Whoever responded to a request failed, and said why. */
export class ResponseError extends TinymqError {
  override readonly name = 'ResponseError';

  constructor(why: string) {
    super('response-failed', why);
  }
}
