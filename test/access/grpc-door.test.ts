import { afterEach, describe, expect, it } from 'vitest';
import type { Authenticator } from '../../internal/access/authenticator.ts';
import { identityOf } from '../../internal/access/identity.ts';
import type { Action } from '../../internal/access/policy.ts';
import { Admission } from '../../internal/doors/clients/admission.ts';
import { HealthCheckRequest, HealthCheckResponse } from '../../internal/protocol/grpc/health.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { encodeEnveloped } from '../../internal/protocol/grpc/write-message.ts';
import { openTestDoor, type TestDoor } from '../grpc/grpc-door.ts';
import { changeablePolicy } from '../support/access.ts';

/** What each method asks for. */
const NEEDS: Record<string, Action> = {
  CreateTopic: 'create',
  Produce: 'write',
  StreamProduce: 'write',
  DeleteUntilOffset: 'delete',
  Consume: 'read',
  StreamConsume: 'read',
  GetLatestOffset: 'read',
  GetEarliestOffset: 'read',
  BulkRetrieve: 'read',
};

/** Whoever shows something is told that it is not for them; whoever shows nothing, that they might. */
const SOMEBODY = { authorization: 'Bearer somebody' };

let door: TestDoor | undefined;
afterEach(() => door?.close());

function refusingPolicy() {
  const refused = new Set<Action>();
  const asked: string[] = [];
  const policy = changeablePolicy((action, { kind, name }) => {
    asked.push(`${action} ${kind} ${name}`);
    return refused.has(action) ? 'not for you' : undefined;
  });
  return { refused, asked, policy };
}

async function opened(admission: Admission): Promise<TestDoor> {
  door = await openTestDoor({ admission });
  await door.logs.topicOrNew('secret.log');
  return door;
}

describe('the gRPC door asks', () => {
  it.each(Object.entries(NEEDS))('before %s: %s', async (method, action) => {
    const { refused, asked, policy } = refusingPolicy();
    const { client, logs } = await opened(new Admission(undefined, policy));
    refused.add(action);
    const request = {
      topic: method === 'CreateTopic' ? 'new/log' : 'secret/log',
      message: Buffer.from('x'),
      offset: 1n,
    };
    for (const [shown, status] of [
      [SOMEBODY, Status.PERMISSION_DENIED],
      [{}, Status.UNAUTHENTICATED],
    ] as const) {
      const refusal = { status, message: 'not for you' };
      expect(await client.call(method, [request], shown).ended).toMatchObject(refusal);
    }
    expect(asked.at(-1)).toBe(`${action} topic ${request.topic}`);
    expect(logs.topic('new.log')).toBeUndefined();
    expect(logs.topic('secret.log')!.partitions[0].highWatermark).toBe(0);
  });

  it('before it tells whether there is such a topic', async () => {
    const { refused, policy } = refusingPolicy();
    const { client } = await opened(new Admission(undefined, policy));
    refused.add('read');
    const { status } = await client.call('Consume', [{ topic: 'no/such', offset: 1n }], SOMEBODY).ended;
    expect(status).toBe(Status.PERMISSION_DENIED);
  });

  it('before it serves anybody, however long the answer takes', async () => {
    const authenticator: Authenticator = {
      async authenticate(peer) {
        await new Promise((resolve) => setImmediate(resolve));
        return identityOf(peer, {});
      },
    };
    const { refused, policy } = refusingPolicy();
    const { client } = await opened(new Admission(authenticator, policy));
    const connected = async () => (await client.call('Connect', [{}], SOMEBODY).ended).status;
    expect(await connected()).toBe(Status.OK);
    refused.add('connect');
    policy.change();
    expect(await connected()).toBe(Status.PERMISSION_DENIED);
  });

  it('what shows who the client is, and says so where that is wrong', async () => {
    const { client } = await opened(new Admission({ authenticate: () => ({ reason: 'who are you' }) }));
    expect(await client.call('Connect', [{}]).ended).toMatchObject({
      status: Status.UNAUTHENTICATED,
      message: 'bad-credentials: who are you',
    });
  });

  it('again after a change of the rules: a stream that may no longer read ends, with the reason', async () => {
    const { refused, policy } = refusingPolicy();
    const { client } = await opened(new Admission(undefined, policy));
    expect(
      (await client.call('Produce', [{ topic: 'secret/log', message: Buffer.from('x') }]).ended).status,
    ).toBe(0);
    const stream = client.call('StreamConsume', [{ topic: 'secret/log', offset: 1n }], SOMEBODY);
    await expect.poll(() => stream.responses.length, { timeout: 30_000 }).toBe(1);
    refused.add('read');
    policy.change();
    expect((await stream.ended).status).toBe(Status.PERMISSION_DENIED);
  });

  it('who a call is for by its metadata, once for each, and leaves the health service open', async () => {
    const checked: string[] = [];
    const authenticator: Authenticator = {
      async authenticate(peer, credentials) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        checked.push(credentials.kind);
        if (credentials.kind === 'token' && credentials.token === 'good')
          return identityOf(peer, { user: 'tom' });
        const password = credentials.kind === 'password' ? Buffer.from(credentials.password!).toString() : '';
        if (credentials.kind !== 'password' || password !== 'pa:ss')
          return { reason: 'wrong user or password' };
        return identityOf(peer, { user: credentials.user });
      },
    };
    const asked: (string | undefined)[] = [];
    const policy = changeablePolicy((action, _, { user }) => {
      if (action === 'write') asked.push(user);
      return action === 'write' && user === 'tom' ? 'tom only reads' : undefined;
    });
    const { client, logs } = await opened(new Admission(authenticator, policy));
    const basic = (user: string, password: string) => ({
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    });
    const produced = (headers: Record<string, string>) =>
      client.call('Produce', [{ topic: 'secret/log', message: Buffer.from('x') }], headers).ended;
    const bad = [{}, basic('fred', 'guess'), { authorization: 'Bearer bad' }, { authorization: 'Basic' }];
    for (const headers of bad) {
      expect(await produced(headers)).toMatchObject({
        status: Status.UNAUTHENTICATED,
        message: expect.stringMatching(/^bad-credentials: /),
      });
    }
    expect(logs.topic('secret.log')!.partitions[0].highWatermark).toBe(0);
    checked.length = 0;
    const fred = Array.from({ length: 5 }, () => produced(basic('fred', 'pa:ss')));
    expect(new Set((await Promise.all(fred)).map(({ status }) => status))).toEqual(new Set([Status.OK]));
    expect(await produced({ authorization: 'bearer good' })).toMatchObject({
      status: Status.PERMISSION_DENIED,
      message: 'tom only reads',
    });
    expect([checked, new Set(asked)]).toEqual([['password', 'token'], new Set(['fred', 'tom'])]);
    const health = client.openPath('/grpc.health.v1.Health/Check', HealthCheckResponse);
    health.stream.end(encodeEnveloped(HealthCheckRequest, { service: '' }));
    expect((await health.ended).status).toBe(Status.OK);
    // As many as anybody likes.
    for (let user = 0; user < 40; user++)
      expect((await produced(basic(`u${user}`, 'pa:ss'))).status).toBe(Status.OK);
  });
});
