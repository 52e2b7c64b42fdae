import { compileReader, type Read } from './compile-reader.ts';
import { compileWriter, type Write } from './compile-writer.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import { KafkaReader } from './reader.ts';
import { type InputOf, includes, type Message, type ValueOf } from './schema.ts';
import { KafkaWriter } from './writer.ts';

/** A message in one of its versions. */
export interface MessageCodec<Value, Input> {
  /**
   * Reads from where the reader stands. Bytes behind the message are left alone, as Kafka does.
   *
   * @throws KafkaProtocolError
   */
  read(reader: KafkaReader): Value;
  /**
   * Writes where the writer stands.
   *
   * @throws KafkaProtocolError `invalid-value` or `unexpected-null` for what this version cannot carry.
   */
  write(writer: KafkaWriter, value: Input): void;
}

/**
 * Reads one message.
 *
 * @throws KafkaProtocolError
 */
export function decodeMessage<M extends Message>(message: M, version: number, bytes: Uint8Array): ValueOf<M> {
  return codecOf(message, version).read(new KafkaReader(bytes));
}

/**
 * Writes one message, as chunks: record batches from 1 KiB on are not copied.
 *
 * @throws KafkaProtocolError `invalid-value` or `unexpected-null` for what this version cannot carry.
 */
export function encodeMessage<M extends Message>(
  message: M,
  version: number,
  value: InputOf<M>,
): Uint8Array[] {
  const writer = new KafkaWriter();
  codecOf(message, version).write(writer, value);
  return writer.finish();
}

/**
 * The reader and writer of a message in one version; made once.
 *
 * @throws KafkaProtocolError `unsupported-version`.
 */
export function codecOf<M extends Message>(
  message: M,
  version: number,
): MessageCodec<ValueOf<M>, InputOf<M>> {
  let codecs = made.get(message);
  if (codecs === undefined) {
    codecs = [];
    made.set(message, codecs);
  }
  const codec = codecs[version] ?? makeCodec(message, version, codecs);
  return codec as unknown as MessageCodec<ValueOf<M>, InputOf<M>>;
}

interface UntypedCodec {
  read: Read;
  write: Write;
}

const made = new WeakMap<Message, UntypedCodec[]>();

function makeCodec(message: Message, version: number, codecs: UntypedCodec[]): UntypedCodec {
  if (!Number.isInteger(version) || !includes(message.versions, version)) {
    throw new KafkaProtocolError('unsupported-version', `${message.name} has no version ${version}`, 0);
  }
  const isFlexible = version >= message.flexibleFrom;
  const codec = {
    read: compileReader(message.fields, version, isFlexible),
    write: compileWriter(message.fields, version, isFlexible),
  };
  codecs[version] = codec;
  return codec;
}
