import type { Channel } from '../../../broker/delivery/channel.ts';
import { type Message, Publication } from '../../../broker/delivery/publication.ts';
import type { Outlet, RunsTaken, SentAs } from '../../../broker/sessions/outlet.ts';
import type { ErrorCode } from '../../../errors.ts';
import { copyRun } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import { encodeAnswer, encodePublish, publishBytes, publishWriter } from '../../../protocol/mqtt/encode.ts';
import { PacketType, type Publish, type Version } from '../../../protocol/mqtt/packet.ts';
import { numberPackets } from '../../../protocol/mqtt/publish-runs.ts';
import type { Agreement } from '../negotiate.ts';
import { encodingsOf, publishOf } from './encoding.ts';

/** Sends messages to one client, within what it takes. */
export class MqttOutlet implements Outlet {
  readonly channel: Channel;
  readonly takesRuns: boolean;
  readonly runs: RunsTaken | undefined;
  /** Messages so far that its channel never drops. */
  undroppable = 0;
  /** A shared subscription is another one than that of the same filter (MQTT 5, section 4.8.2). */
  readonly takesOneCopy = false;
  readonly window: number;
  readonly clock: Clock;
  readonly #version: Version;
  readonly #maximumPacketSizeBytes: number;
  readonly #topicAliasMaximum: number;
  /** The aliases that the client was told, by topic. */
  #aliases: Map<string, number> | undefined;
  #single: Publication | undefined;

  constructor(channel: Channel, version: Version, agreement: Agreement, clock: Clock) {
    this.channel = channel;
    this.clock = clock;
    this.#version = version;
    this.window = agreement.receiveMaximum;
    this.#maximumPacketSizeBytes = agreement.maximumPacketSizeBytes;
    this.#topicAliasMaximum = agreement.topicAliasMaximum;
    this.takesRuns = agreement.maximumPacketSizeBytes >= ANY_SIZE_BYTES && agreement.topicAliasMaximum === 0;
    if (this.takesRuns) this.runs = encodingsOf(version, clock).acknowledged;
  }

  send(
    message: Message,
    { qos, retain, tags, isFromStore }: SentAs,
    packetId: number,
    isAgain: boolean,
  ): ErrorCode | undefined {
    const publish = publishOf(message, this.#version, this.clock);
    publish.qos = qos;
    publish.retain = retain;
    publish.packetId = packetId;
    publish.dup = isAgain;
    if (this.#version === 5 && tags.length > 0) {
      publish.properties = { ...publish.properties, subscriptionIdentifiers: [...tags] };
    }
    const isTooLarge =
      this.#maximumPacketSizeBytes < ANY_SIZE_BYTES &&
      publishBytes(publish, this.#version) > this.#maximumPacketSizeBytes;
    // [MQTT-3.1.2-24]
    if (isTooLarge) return 'packet-too-large';
    const isNewAlias = this.#topicAliasMaximum > 0 && this.#useAlias(publish);
    // A message that names an alias must arrive, whatever becomes of others: later ones have nothing but the alias.
    if (qos > 0 || isNewAlias || isFromStore) {
      this.undroppable++;
      const start = this.channel.makeRoomUndroppable(publishWriter.begin(publish, this.#version));
      publishWriter.write(publish, this.channel.room, start);
    } else {
      const bytes = encodePublish(publish, this.#version);
      this.#single ??= new Publication(encodingsOf(this.#version, this.clock).plain);
      this.channel.deliver(this.#single.set(bytes, 0, bytes.length, 1));
    }
    return undefined;
  }

  /** Whether the client takes packets as large as this message with its topic written out. */
  takesSizeOf(message: Message, tags: readonly number[]): boolean {
    if (this.#maximumPacketSizeBytes >= ANY_SIZE_BYTES) return true;
    const publish = publishOf(message, this.#version, this.clock);
    // Counted as with a packet identifier, which QoS 0 does not have.
    publish.qos = 1;
    if (tags.length > 0) {
      publish.properties = { ...publish.properties, subscriptionIdentifiers: [...tags] };
    }
    return publishBytes(publish, this.#version) <= this.#maximumPacketSizeBytes;
  }

  sendRun(bytes: Uint8Array, count: number, packetId: number): void {
    this.undroppable += count;
    const start = this.channel.makeRoomUndroppable(bytes.length);
    const { room } = this.channel;
    const end = copyRun(bytes, 0, bytes.length, room, start);
    numberPackets(room, start, end, packetId);
  }

  /** PUBREL. */
  confirm(packetId: number): void {
    this.channel.enqueueUndroppable(encodeAnswer(PacketType.pubrel, packetId));
  }

  /**
   * Puts an alias in the place of the topic, or tells the client a new one; whether it does the latter. QoS 2 always has
   * the topic too: MQTT.js keeps such a message until its release, and does not know by then what an alias stood for.
   */
  #useAlias(publish: Publish): boolean {
    this.#aliases ??= new Map();
    const known = this.#aliases.get(publish.topic);
    if (known !== undefined && publish.qos < 2) {
      publish.properties = { ...publish.properties, topicAlias: known };
      publish.topic = '';
      return false;
    }
    if (known === undefined && this.#aliases.size >= Math.min(this.#topicAliasMaximum, MAX_ALIASES))
      return false;
    const withAlias = { ...publish.properties, topicAlias: known ?? this.#aliases.size + 1 };
    const bytes = publishBytes({ ...publish, properties: withAlias }, this.#version);
    if (bytes > this.#maximumPacketSizeBytes) return false;
    publish.properties = withAlias;
    this.#aliases.set(publish.topic, withAlias.topicAlias);
    return true;
  }
}

/** No packet is larger than this, so that a client who takes it takes all. */
const ANY_SIZE_BYTES = 268_435_460;
/** The first topics of a client get an alias, as many as this: they are strings in our memory. */
const MAX_ALIASES = 1_024;
