import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemOfProgram } from '../processes.ts';
import { mqtt } from './mqtt.ts';
import type { LivePeer, StartRequest } from './peer.ts';

/**
 * mosquitto, with no bound on what waits for a subscriber, so that it need not drop what the bench lets wait, and as
 * many messages under way as the bench has.
 */
export const mosquitto: LivePeer = {
  name: 'mosquitto',
  transports: ['tcp', 'tls', 'unix'],
  problem: () => problemOfProgram('mosquitto'),
  command(request) {
    const configFile = join(request.folder, 'mosquitto.conf');
    writeFileSync(configFile, configuration(request));
    return { program: 'mosquitto', args: ['-c', configFile] };
  },
  wire: mqtt,
  mqtt,
};

function configuration({ address, certificates, folder, keepsSessions }: StartRequest): string {
  return [
    address.transport === 'unix' ? `listener 0 ${address.path}` : `listener ${address.port} 127.0.0.1`,
    'allow_anonymous true',
    'max_queued_messages 0',
    'max_inflight_messages 100',
    'log_type error',
    // Only one who is root changes to another user, who could not read the certificate.
    'user root',
    // It saves at its own intervals.
    keepsSessions ? `persistence true\npersistence_location ${folder}/` : '',
    certificates ? `certfile ${certificates.certFile}\nkeyfile ${certificates.keyFile}` : '',
  ].join('\n');
}
