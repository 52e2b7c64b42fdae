import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { pahoPython } from '../mqtt/paho.ts';
import { startApacheKafka } from '../support/apache-kafka.ts';
import { mustRun } from '../support/installed-once.ts';
import { runTinymq } from '../support/tinymq-program.ts';

/** Makes what readers of a page have before they begin. @param withPorts puts the ports of the test into a text. */
type Preparation = (folder: string, withPorts: (text: string) => string) => void | Promise<void>;

/** Files of the system from which a page moves its readers over, by page. */
export const preparedFiles: Record<string, Preparation> = {
  'from-kafka.md': kafkaDirectory,
  'from-mosquitto.md': mosquittoFiles,
  'from-smq.md': smqDatabase,
  'home-assistant.md': homeAssistant,
};

/** `user root` is for tests that run as root: mosquitto becomes another user otherwise, who may not read this folder. */
async function mosquittoFiles(folder: string, withPorts: (text: string) => string): Promise<void> {
  const conf = `listener 1883 localhost
persistence true
persistence_location ./
password_file passwords
acl_file acl
allow_anonymous false
max_queued_messages 5000
user root
`;
  writeFileSync(join(folder, 'mosquitto.conf'), withPorts(conf));
  writeFileSync(join(folder, 'acl'), 'user anna\ntopic readwrite #\n\npattern write sensors/%u/#\n');
  writeFileSync(join(folder, 'passwords'), '');
  for (const [user, password] of [
    ['anna', 'secret'],
    ['sensor-7', 'hidden'],
  ] as const) {
    await mustRun('mosquitto_passwd', ['-b', 'passwords', user, password], folder);
  }
}

/** A database as the original server makes it, whose first message was deleted. */
function smqDatabase(folder: string): void {
  const database = new DatabaseSync(join(folder, 'dbtest.db'));
  database.exec(
    `CREATE TABLE Topic_orders ("offset" INTEGER PRIMARY KEY AUTOINCREMENT, "time" TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "data" BLOB)`,
  );
  const insert = database.prepare('INSERT INTO Topic_orders (data) VALUES (?)');
  for (const message of ['deleted', 'apple', 'pear']) insert.run(Buffer.from(message));
  database.exec('DELETE FROM Topic_orders WHERE "offset" = 1');
  database.close();
}

/** What a real Kafka has written: a topic, and a group that has read its first record. */
async function kafkaDirectory(folder: string, withPorts: (text: string) => string): Promise<void> {
  await using kafka = await startApacheKafka({
    logDir: join(folder, 'kafka'),
    port: Number(withPorts('9092')),
  });
  const tinymq = async (args: string[], input?: string) => {
    const { code, errors } = await runTinymq([...args, '-address', kafka.bootstrap], input);
    if (code !== 0) throw new Error(errors);
  };
  await tinymq(['topics', 'create', 'orders', '-partitions', '1']);
  await tinymq(['produce', 'orders', '-key-delimiter', ':'], 'anna:apple\nbob:pear\n');
  await tinymq(['consume', 'orders', '-group', 'billing', '-count', '1']);
}

/** `hass` for a Home Assistant that was told of the broker in its settings. */
async function homeAssistant(folder: string, withPorts: (text: string) => string): Promise<void> {
  const script = fileURLToPath(new URL('hass.py', import.meta.url));
  const command = `exec '${await pahoPython()}' '${script}' 1883 homeassistant secret`;
  writeFileSync(join(folder, '.bin/hass'), withPorts(`#!/bin/sh\n${command}\n`), { mode: 0o755 });
}
