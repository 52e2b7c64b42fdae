import { credentialOptions } from './credential-options.ts';
import { choice, duration, text, toggle } from './option.ts';

/** The networks that the programs know. */
export const NETWORKS = ['tcp', 'tls', 'unix', 'ws', 'wss'] as const;

export const DAY_MS = 24 * 3_600_000;
/** The runtime's timers hold no more than 2^31 milliseconds, a little less than 25 days. */
export const LONGEST_TIMER_MS = 24 * DAY_MS;

/** How publisher and subscriber reach their broker. */
export const connectionOptions = {
  network: choice(NETWORKS, {
    group: 'Connection',
    default: 'tcp',
    help: 'how to reach the broker, unless -address is a URL',
  }),
  address: text({
    group: 'Connection',
    placeholder: 'HOST:PORT|PATH|URL',
    help: 'where the broker is; unless given localhost:1883, or /tmp/broker.sock if nothing listens there',
  }),
  id: text({ group: 'Connection', placeholder: 'ID', help: 'the client id; a random one unless given' }),
  ...credentialOptions,
  'tls-ca': text({
    group: 'Connection',
    placeholder: 'FILE',
    help: 'the CA that signed the certificate of the broker (PEM); with -network tcp this means TLS',
  }),
  'tls-cert': text({
    group: 'Connection',
    placeholder: 'FILE',
    help: "the client's certificate, for mutual TLS (PEM)",
  }),
  'tls-key': text({
    group: 'Connection',
    placeholder: 'FILE',
    help: "the key of the client's certificate (PEM)",
  }),
  'tls-server-name': text({
    group: 'Connection',
    placeholder: 'NAME',
    help: 'the name in the certificate of the broker, if it is not the host',
  }),
  'tls-insecure': toggle({
    group: 'Connection',
    help: 'use TLS without verifying the certificate of the broker; for tests only',
  }),
  'connect-timeout': duration(
    { min: 1, max: DAY_MS },
    { group: 'Connection', default: '10', help: 'how long one attempt to connect may take' },
  ),
};
