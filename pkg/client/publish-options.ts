import type { Extension } from '../../internal/protocol/frame/extensions.ts';
import type { FrameProperties } from '../../internal/protocol/frame/properties.ts';
import { checkTopic } from './checks.ts';
import { TinymqError } from './errors.ts';
import { type HeaderValues, pairsOf } from './headers.ts';
import { checkNames, checkNumbers, type OptionNames } from './options.ts';

/** What goes with a message, and what is promised of it. */
export interface PublishOptions {
  /**
   * 0: at most once. 1: at least once, acknowledged when every log and session that keeps it has it. 2: exactly once, whatever
   * breaks off meanwhile. Default: 0.
   */
  qos?: 0 | 1 | 2;
  /** Whether its topic remembers it for later subscribers; an empty one makes the topic forget. */
  retain?: boolean;
  /** What MQTT calls user properties and Kafka headers. A list is a header that comes several times. */
  headers?: HeaderValues;
  /** After so many milliseconds nobody wants it any more. */
  expiresIn?: number;
  contentType?: string;
  /** A topic where an answer is expected, and what the answer is to be known by; {@link BaseClient.request} sets both. */
  replyTo?: string;
  correlation?: Uint8Array;
}

const PUBLISH_OPTIONS: OptionNames<PublishOptions> = {
  ...{ qos: true, retain: true, headers: true, expiresIn: true },
  ...{ contentType: true, replyTo: true, correlation: true },
};

/** A message's options, as its frame says them. */
export interface MessageParts {
  qos: 0 | 1 | 2;
  /** Undefined where there are none. */
  properties: FrameProperties | undefined;
  needs: readonly Extension[];
}

/** @throws TinymqError `invalid-option`, InvalidTopicError of `replyTo`. */
export function messageParts(options: PublishOptions): MessageParts {
  checkNames(options, PUBLISH_OPTIONS, 'publish');
  checkNumbers(options, { expiresIn: 1 });
  const { qos = 0, retain, headers, expiresIn, contentType, replyTo, correlation } = options;
  if (qos !== 0 && qos !== 1 && qos !== 2)
    throw new TinymqError('invalid-option', `qos is 0, 1 or 2, not ${qos}`);
  if (replyTo !== undefined) checkTopic(replyTo);
  const properties: FrameProperties = {};
  const needs: Extension[] = qos === 0 ? [] : [qos === 1 ? 'acks' : 'once'];
  if (retain) {
    properties.retain = true;
    needs.push('retain');
  }
  if (expiresIn !== undefined) {
    properties.expiresInMs = Math.ceil(expiresIn);
    needs.push('expiry');
  }
  if ((headers ?? contentType ?? replyTo ?? correlation) !== undefined) {
    Object.assign(properties, {
      headers: headers && pairsOf(headers),
      contentType,
      replyTo,
      correlationData: correlation,
    });
    needs.push('headers');
  }
  return { qos, properties: Object.keys(properties).length === 0 ? undefined : properties, needs };
}
