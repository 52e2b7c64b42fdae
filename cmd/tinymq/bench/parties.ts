import { MqttClient } from '../../../internal/clients/mqtt/client.ts';
import type { ClientCredentials } from '../../../internal/clients/socket.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { parseUrl } from '../../../pkg/client/address.ts';
import { connect } from '../../../pkg/client/index.ts';

export const CONNECT_TIMEOUT_MS = 10_000;

/** Where and how publishers and subscribers connect. */
export interface Meeting {
  readonly url: string;
  readonly topic: string;
  readonly credentials: ClientCredentials | undefined;
  readonly ca: string | undefined;
  readonly qos: 0 | 1;
  readonly version: string;
  readonly stop: AbortSignal;
}

/** Somebody who is connected. */
export interface Party {
  /** Rejects when the connection is lost. */
  readonly ended: Promise<never>;
  close(): Promise<void> | void;
}

export interface Publisher extends Party {
  /** @returns a promise to wait for before the next one, where there is no room. */
  publish(payload: Uint8Array): Promise<unknown> | undefined;
  /** Whether it is told of each message that is safe. */
  readonly isAcknowledged: boolean;
}

/** How a protocol is spoken. */
export interface Speech {
  /** Makes what they meet at, where it does not come to be by itself; disposing of it takes it away. */
  prepare?(meeting: Meeting): Promise<AsyncDisposable>;
  /**
   * @param index which of the publishers it is, from 0 on.
   * @param onAcknowledged told how many more of its messages are safe, in the order in which they were published.
   */
  publisher(
    name: string,
    index: number,
    meeting: Meeting,
    onAcknowledged: (count: number) => void,
  ): Promise<Publisher>;
  subscriber(name: string, meeting: Meeting, take: (payload: Uint8Array) => void): Promise<Party>;
}

/** By the frames of the SDK. */
export const FRAMES: Speech = {
  async publisher(name, _index, meeting) {
    const { client, ended } = await connectFrames(name, meeting);
    const publish = (payload: Uint8Array) => {
      const room = client.publish(meeting.topic, payload);
      return room === true ? undefined : room;
    };
    return { publish, isAcknowledged: false, ended, close: () => client.close() };
  },
  async subscriber(name, meeting, take) {
    const { client, ended } = await connectFrames(name, meeting);
    await client.subscribe(meeting.topic, ({ payload }) => take(payload));
    return { ended, close: () => client.close() };
  },
};

async function connectFrames(clientId: string, { url, credentials, ca, stop }: Meeting) {
  const client = await connect(url, {
    ...{ clientId, reconnect: false, signal: stop, connectTimeoutMs: CONNECT_TIMEOUT_MS },
    ...credentials,
    ...(ca === undefined ? {} : { tls: { ca } }),
  });
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  client.on('error', (error) => ended.reject(error));
  client.on('close', (error) => error !== undefined && ended.reject(error));
  return { client, ended: ended.promise };
}

/** By MQTT 5. */
export const MQTT: Speech = {
  async publisher(name, _index, meeting, onAcknowledged) {
    const client = await connectMqtt(name, meeting);
    client.onAcknowledged = () => onAcknowledged(1);
    const isAcknowledged = meeting.qos === 1;
    const publish = (payload: Uint8Array) => client.publish(meeting.topic, payload, meeting.qos);
    return { publish, isAcknowledged, ended: client.ended, close: () => client.close() };
  },
  async subscriber(name, meeting, take) {
    const client = await connectMqtt(name, meeting);
    client.onMessage = take;
    await client.subscribe(meeting.topic, meeting.qos);
    return { ended: client.ended, close: () => client.close() };
  },
};

function connectMqtt(
  clientId: string,
  { url, credentials, ca, version, stop }: Meeting,
): Promise<MqttClient> {
  const address = parseUrl(url);
  if (address.network !== 'tcp' && address.network !== 'tls') {
    throw new Failure(`${url}: MQTT is measured on tcp and tls only; name such a place with -address`);
  }
  return MqttClient.connect(address, {
    ...{ clientId, softwareVersion: version, credentials, stop },
    tls: address.network === 'tls' ? { ca } : undefined,
    ...{ connectTimeoutMs: CONNECT_TIMEOUT_MS, requestTimeoutMs: CONNECT_TIMEOUT_MS },
  });
}
