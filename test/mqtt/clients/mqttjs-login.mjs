// Connects with MQTT.js to a broker with users, which reads what it shows: folder of its package, URL, CA, `password` or
// `scram`, user; the password comes on standard input. Prints a message that came back, and how it authenticated again.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, url, ca, way, username] = process.argv.slice(2);
const password = readFileSync(0, 'utf8');
const mqtt = createRequire(join(folder, 'index.js'))('mqtt');
const METHOD = 'SCRAM-SHA-256';

/** One exchange of RFC 5802. */
function scram() {
  const bare = `n=${username},r=${randomBytes(18).toString('base64')}`;
  const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
  return {
    first: Buffer.from(`n,,${bare}`),
    final(serverFirst) {
      const { r, s, i } = Object.fromEntries(serverFirst.split(',').map((part) => [part[0], part.slice(2)]));
      const salted = pbkdf2Sync(password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const signature = hmac(
        createHash('sha256').update(clientKey).digest(),
        `${bare},${serverFirst},c=biws,r=${r}`,
      );
      const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index])).toString('base64');
      return Buffer.from(`c=biws,r=${r},p=${proof}`);
    },
  };
}

let exchange = scram();
const credentials =
  way === 'password'
    ? { username, password }
    : { properties: { authenticationMethod: METHOD, authenticationData: exchange.first } };
const client = mqtt.connect(url, {
  protocolVersion: 5,
  manualConnect: true,
  reconnectPeriod: 0,
  ca: readFileSync(ca),
  ...credentials,
});
let done;
client.handleAuth = (packet, callback) => {
  if (packet.reasonCode === 0) {
    done?.();
    callback(undefined, undefined);
    return;
  }
  callback(undefined, auth(0x18, exchange.final(String(packet.properties.authenticationData))));
};

function auth(reasonCode, authenticationData) {
  return { cmd: 'auth', reasonCode, properties: { authenticationMethod: METHOD, authenticationData } };
}

client.connect();
await new Promise((resolve, reject) => {
  client.once('connect', resolve);
  client.once('error', reject);
  client.once('close', () => reject(new Error('closed')));
});
const message = new Promise((resolve) =>
  client.once('message', (topic, payload) => resolve(`${topic} ${payload}`)),
);
await client.subscribeAsync('login', { qos: 1 });
await client.publishAsync('login', way, { qos: 1 });
console.log(await message);
if (way === 'scram') {
  exchange = scram();
  const again = new Promise((resolve) => {
    done = resolve;
  });
  client._writePacket(auth(0x19, exchange.first));
  await again;
  console.log('again');
}
await client.endAsync();
