/** Flags of mosquitto_pub and mosquitto_sub that have no meaning here, and what their users do instead. */
export const mosquittoFlags: Readonly<Record<string, string>> = {
  V: 'the programs speak the frames of tinymq, which have no versions to choose from',
  L: 'say -address URL and -topic',
  unix: 'say -address PATH',
  A: 'the system chooses the address that it connects from',
  nodelay: 'small messages are never held back',
  capath: 'say -tls-ca FILE',
  ciphers: 'TLS takes the ciphers of the runtime',
  'tls-version': 'TLS takes the best version that both sides know',
  'tls-alpn': 'frames need no ALPN',
  'tls-use-os-certs': 'the variable NODE_EXTRA_CA_CERTS adds authorities',
  psk: 'TLS goes by certificates: -tls-ca, -tls-cert and -tls-key',
  'psk-identity': 'TLS goes by certificates: -tls-ca, -tls-cert and -tls-key',
  proxy: 'there is no way through a SOCKS proxy',
};
