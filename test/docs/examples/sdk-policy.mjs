import assert from 'node:assert/strict';
import { startBroker } from 'tinymq';
import { connect } from 'tinymq/client';

const groupsOf = async (user, password) => (user === 'ann' && password === 'secret' ? ['staff'] : undefined);

// the example

await assert.rejects(connect(broker.url, { user: 'ann', password: 'wrong' }), { code: 'bad-credentials' });
const client = await connect(broker.url, { user: 'ann', password: 'secret' });
await client.subscribe('ann/#');
await assert.rejects(client.subscribe('bob/#'), { code: 'not-authorized' });
await client.close();
await broker.close();
