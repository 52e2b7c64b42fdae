import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { decodeRequest, encodeResponse, peekRequest } from '../../internal/protocol/kafka/exchange.ts';
import { RequestFrames } from '../../internal/protocol/kafka/request-frame.ts';
import type { Api, RequestOf, ResponseOf } from '../../internal/protocol/kafka/schema.ts';

/** What a fake answers to one API, and in which versions. */
export interface FakeApi {
  api: Api;
  min: number;
  max: number;
  /** Nothing is answered where this gives undefined. */
  answer(body: unknown, version: number): unknown;
}

/** An API of a fake, in all its versions unless said. */
export function fakeApi<A extends Api>(
  api: A,
  answer: (
    body: RequestOf<A>,
    version: number,
  ) => ResponseOf<A> | undefined | Promise<ResponseOf<A> | undefined>,
  versions: { min?: number; max?: number } = {},
): FakeApi {
  const { min = api.validVersions.min, max = api.validVersions.max } = versions;
  return { api, min, max, answer: answer as FakeApi['answer'] };
}

/** A server that speaks as much Kafka as it is told to. */
export interface FakeKafka extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** The requests so far, without those for ApiVersions: name, version and body. */
  readonly requests: { name: string; version: number; clientId: string | null; body: unknown }[];
  /** The connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
}

/**
 * Starts one on a free port of localhost.
 *
 * @param apiVersionsMax the newest version of ApiVersions that it knows.
 */
export async function startFakeKafka(
  apis: readonly FakeApi[],
  options: { apiVersionsMax?: number; tls?: TlsOptions } = {},
): Promise<FakeKafka> {
  const { apiVersionsMax = apiVersions.validVersions.max, tls } = options;
  const requests: FakeKafka['requests'] = [];
  const sockets = new Set<Socket>();
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  function serve(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    const frames = new RequestFrames(1 << 30);
    let previous = Promise.resolve();
    socket.on('data', (chunk) => {
      frames.push(chunk);
      for (let request = frames.next(); request !== undefined; request = frames.next()) {
        const whole = request;
        previous = previous.then(async () => {
          for (const piece of await answerTo(whole)) socket.write(piece);
        });
      }
    });
  }

  async function answerTo(request: Buffer): Promise<Uint8Array[]> {
    const { apiKey, apiVersion, correlationId } = peekRequest(request);
    if (apiKey === apiVersions.key) return versionsAnswer(apiVersion, correlationId);
    const served = apis.find(({ api }) => api.key === apiKey)!;
    const { header, body } = decodeRequest(served.api, request);
    requests.push({ name: served.api.name, version: apiVersion, clientId: header.clientId, body });
    const answer = await served.answer(body, apiVersion);
    if (answer === undefined) return [];
    return encodeResponse(served.api, apiVersion, correlationId, answer as never);
  }

  function versionsAnswer(version: number, correlationId: number): Uint8Array[] {
    const isKnown = version <= apiVersionsMax;
    const apiKeys = [
      ...apis.map(({ api, min, max }) => ({ apiKey: api.key, minVersion: min, maxVersion: max })),
      { apiKey: apiVersions.key, minVersion: 0, maxVersion: apiVersionsMax },
    ];
    return encodeResponse(apiVersions, isKnown ? version : 0, correlationId, {
      errorCode: isKnown ? 0 : 35,
      apiKeys,
    });
  }

  return {
    address: `127.0.0.1:${port}`,
    port,
    requests,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
