import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BrokerOptions } from './options.ts';
import { startBroker } from './start-broker.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('startBroker', () => {
  it.each<[BrokerOptions, string]>([
    [{ listen: [] }, 'listen names no address'],
    [{ listen: ['localhost:1883'] }, "'localhost:1883' is not an address to listen on"],
    [{ maxMessageBytes: 0 }, 'maxMessageBytes is 1 to 1073741824, not 0'],
    [{ maxMessageBytes: 2 ** 31 }, 'maxMessageBytes is 1 to 1073741824, not 2147483648'],
    [{ maxClients: 0 }, 'maxClients is at least 1, not 0'],
    [{ channelSize: Number.NaN }, 'channelSize is at least 1, not NaN'],
    [{ channelBytes: -1 }, 'channelBytes is at least 1, not -1'],
    [{ connectTimeoutMs: -1 }, 'connectTimeoutMs is 0 to 2147483647, not -1'],
    [{ keepAliveMs: Number.NaN }, 'keepAliveMs is 0 to 2147483647, not NaN'],
    [{ slowConsumerWaitMs: 2 ** 31 }, 'slowConsumerWaitMs is 0 to 2147483647, not 2147483648'],
    [{ shutdownTimeoutMs: -5 }, 'shutdownTimeoutMs is 0 to 2147483647, not -5'],
    [
      { slowConsumer: 'drop' as 'drop-new' },
      'slowConsumer is one of drop-new, drop-oldest, disconnect, not drop',
    ],
    [
      { keep: [{ filter: 'a' }], logs: [{ filter: 'b' }] },
      'keep and logs are names of the same option: give one of them',
    ],
    [{ keepForMs: 1, logRetentionMs: 1 }, 'keepForMs and logRetentionMs are names of the same option'],
    [{ keepBytes: 1, logRetentionBytes: 1 }, 'keepBytes and logRetentionBytes are names of the same option'],
    [{ logs: [{ filter: 'a/#/b' }] }, "keep 'a/#/b': "],
  ])('refuses %j', async (options, message) => {
    await expect(startBroker({ listen: ['tcp://127.0.0.1:0'], ...options })).rejects.toThrow(message);
  });

  // A typo opened the default port, and an address without its array was answered by `frames.map is not a function`.
  it.each<[object, string]>([
    [{ lissten: [] }, 'lissten is no option of startBroker; did you mean listen?'],
    [{ Listen: [] }, 'Listen is no option of startBroker; did you mean listen?'],
    [{ toString: 1 }, 'toString is no option of startBroker'],
    [
      { kafka: { listen: [], autocreate: true } },
      'kafka.autocreate is no option of startBroker; did you mean kafka.autoCreate?',
    ],
    [
      { listen: 'tcp://localhost:0' },
      "listen is an array of addresses, such as ['tcp://localhost:1883'], not 'tcp://localhost:0'",
    ],
    [{ listen: [1883] }, 'listen is an array of addresses'],
    [{ kafka: 'tcp://localhost:0' }, "kafka is an object, not 'tcp://localhost:0'"],
    [{ tls: null }, 'tls is an object, not null'],
    [{ channelSize: '100' }, "channelSize is a number, not '100'"],
    [{ memory: 'yes' }, "memory is true or false, not 'yes'"],
  ])('says what is wrong where no compiler does: %j', async (options, message) => {
    await expect(startBroker({ listen: ['tcp://127.0.0.1:0'], ...options })).rejects.toThrow(message);
  });

  it('takes an option that is undefined for one that was left out', async () => {
    await using broker = await startBroker({
      listen: ['tcp://127.0.0.1:0'],
      dataDir: undefined,
      tls: undefined,
    });
    expect(broker.listeners).toHaveLength(1);
  });

  it.each<[string, BrokerOptions]>([
    [
      'its certificate is missing',
      { listen: ['tls://127.0.0.1:0'], tls: { certFile: 'no-such.crt', keyFile: 'no-such.key' } },
    ],
    ['gRPC is to speak TLS without a certificate', { grpc: { listen: ['tls://127.0.0.1:0'] } }],
    ['one of its listeners cannot open', { listen: ['tcp://127.0.0.1:0', 'unix:///no/such/folder/x.sock'] }],
  ])('leaves nothing running where %s', async (_, options) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    await expect(startBroker(options)).rejects.toThrow(/cannot (read|listen)/);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says why the store cannot be opened where no door is left without it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-embed-'));
    const dataDir = join(folder, 'a file');
    writeFileSync(dataDir, '');
    const kafka = { listen: ['tcp://127.0.0.1:0'] };
    const refused: string[] = [];
    const onListenError = ({ url }: { url: string }) => {
      refused.push(url);
    };
    try {
      await expect(startBroker({ kafka, dataDir, onListenError })).rejects.toThrow('a file');
      await using broker = await startBroker({
        kafka,
        dataDir,
        dataDirIsOptional: true,
        onListenError,
        listen: ['tcp://127.0.0.1:0'],
      });
      expect(broker.listeners.map(({ door }) => door)).toEqual(['frames']);
      expect(refused).toEqual(kafka.listen);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
