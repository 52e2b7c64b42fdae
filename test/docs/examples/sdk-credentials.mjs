import assert from 'node:assert/strict';
import { startBroker } from 'tinymq';
import { connect as connectTo } from 'tinymq/client';

const shown = [];
const authenticator = {
  async authenticate(peer, credentials) {
    shown.push(credentials);
    return { ...peer, user: credentials.user ?? 'token', groups: [], expiresAtMs: undefined };
  },
};
const broker = await startBroker({ listen: ['tcp://localhost:0'], authenticator });
const connect = (_, options) => connectTo(broker.url, options);
const freshToken = async () => 'fresh';
process.env.TINYMQ_PASSWORD = 'secret';

// the example

assert.partialDeepStrictEqual(shown, [{ user: 'kitchen' }, {}]);
assert.equal(shown.length, 2);
await client.close();
await other.close();
await broker.close();
