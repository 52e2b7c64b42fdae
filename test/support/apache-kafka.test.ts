import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasJava, startApacheKafka } from './apache-kafka.ts';

it.runIf(hasJava())(
  'Apache Kafka starts, is used by its tools, and has its topics after a crash',
  async () => {
    const logDir = mkdtempSync(join(tmpdir(), 'apache-kafka-'));
    const topics = (bootstrap: string, ...args: string[]) =>
      ['--bootstrap-server', bootstrap, ...args] as const;
    {
      await using kafka = await startApacheKafka({ logDir });
      const args = topics(kafka.bootstrap, '--create', '--topic', 'kept', '--partitions', '3');
      expect(await kafka.run('org.apache.kafka.tools.TopicCommand', args)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('Created topic kept.'),
      });
      await kafka.kill();
    }
    await using kafka = await startApacheKafka({ logDir });
    const listed = await kafka.run('org.apache.kafka.tools.TopicCommand', topics(kafka.bootstrap, '--list'));
    expect(listed.stdout).toBe('kept\n');
    await kafka.stop();
    rmSync(logDir, { recursive: true, force: true });
  },
  300_000,
);
