import type { MessageType } from '../../../internal/protocol/grpc/schema.ts';
import { Status } from '../../../internal/protocol/grpc/status.ts';
import { requestOf, type TestCall, TestClient } from '../../grpc/grpc-client.ts';
import type { AccessDoor, DoorSession, Login, Names, Places } from './door.ts';
import { Refused } from './door.ts';

const OK = `status ${Status.OK}`;
const DENIED = `status ${Status.PERMISSION_DENIED}`;
const UNAUTHENTICATED = `status ${Status.UNAUTHENTICATED}`;

const refusals = { refused: [DENIED], refusedToAnonymous: [UNAUTHENTICATED] } as const;
const changing = { effect: 'changes', granted: OK, ...refusals } as const;
const showing = { effect: 'shows', granted: OK, ...refusals } as const;
const telling = { effect: 'none', granted: OK, ...refusals } as const;

/** SMQ's service, each of its methods. */
export const grpc: AccessDoor = {
  name: 'gRPC',
  words: {
    badLogin: UNAUTHENTICATED,
    nothingShown: UNAUTHENTICATED,
    mayNotConnect: DENIED,
    thrownOut: undefined,
    expired: undefined,
    afterwards: { thrownOut: DENIED, expired: UNAUTHENTICATED },
  },
  following: 'StreamConsume',
  actions: [
    { name: 'CreateTopic', ...changing },
    { name: 'Produce', ...changing },
    { name: 'StreamProduce', ...changing },
    { name: 'DeleteUntilOffset', ...changing },
    { name: 'Consume', ...showing },
    { name: 'BulkRetrieve', ...showing },
    { name: 'StreamConsume', ...showing, ends: DENIED },
    { name: 'GetLatestOffset', ...telling },
    { name: 'GetEarliestOffset', ...telling },
  ],
  async open(places, login) {
    const session = new GrpcSession(places, login);
    const told = await session.connect();
    if (told !== OK) throw new Refused(told);
    return session;
  },
};

class GrpcSession implements DoorSession {
  received = '';
  readonly #client: TestClient;
  readonly #headers: Record<string, string>;
  #stream: TestCall<MessageType> | undefined;
  #sending: TestCall<MessageType> | undefined;

  constructor({ plain, secured }: Places, login: Login) {
    const { certificate } = login;
    this.#client =
      certificate === undefined ? new TestClient(plain.grpc!) : new TestClient(secured.grpc!, certificate);
    this.#headers = authorizationOf(login);
  }

  connect(): Promise<string> {
    return this.#endOf(this.#call('Connect', {}));
  }

  async perform(action: string, { topic, fresh }: Names): Promise<string> {
    const request = {
      ...{ topic: action === 'CreateTopic' ? fresh : topic },
      ...{ message: Buffer.from('x'), offset: 1n, startOffset: 1n, limit: 10 },
    };
    const call = this.#call(action, request);
    if (action !== 'StreamConsume') return this.#endOf(call);
    this.#stream = call;
    return Promise.race([call.received(1).then(() => OK), this.#endOf(call)]);
  }

  follow(names: Names): Promise<string> {
    return this.perform('StreamConsume', names);
  }

  send({ topic }: Names, text: string): void {
    this.#sending ??= this.#client.open('StreamProduce', this.#headers);
    this.#sending.stream.write(requestOf('StreamProduce', { topic, message: Buffer.from(text) }));
  }

  async settle(): Promise<void> {
    await this.connect();
  }

  end(): Promise<string> {
    return this.#endOf(this.#stream!);
  }

  close(): void {
    this.#sending?.ended.catch(() => {});
    this.#client.close();
  }

  #call(method: string, request: object): TestCall<MessageType> {
    const call = this.#client.call(method, [request], this.#headers);
    call.stream.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    return call;
  }

  async #endOf(call: TestCall<MessageType>): Promise<string> {
    return `status ${(await call.ended).status}`;
  }
}

/** As HTTP has it. */
export function authorizationOf({ user, password, token }: Login): Record<string, string> {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (password === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
