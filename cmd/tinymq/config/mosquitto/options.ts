/** What becomes of an option of mosquitto.conf(5). */
export type Fate =
  /** It is said by options here; `migrate.ts` reads it. */
  | { readonly kind: 'taken' }
  /** Nothing is lost without it, and why. */
  | { readonly kind: 'needless'; readonly why: string }
  /** It is not had here; what to do instead. */
  | { readonly kind: 'lacking'; readonly instead: string }
  /** It is about a bridge, as the whole of which it is told. */
  | { readonly kind: 'bridge' };

const taken: Fate = { kind: 'taken' };
const bridge: Fate = { kind: 'bridge' };
const needless = (why: string): Fate => ({ kind: 'needless', why });
const lacking = (instead: string): Fate => ({ kind: 'lacking', instead });

const KEPT_AT_ONCE = needless('what is to be kept is written before it is acknowledged');
const TLS_OF_RUNTIME = lacking('the ciphers of the runtime are used, for TLS 1.2 and 1.3');
const NO_ENGINE = lacking('the key is a file (PEM)');
const NO_PLUGIN = lacking(
  'plugins are not served: users and rules are in a file, or tokens name them (docs/security.md)',
);
const NO_PSK = lacking('keys that are shared before (PSK) are not served: use certificates or passwords');

/** All of them by name, and a pattern of names in the end. */
export const MOSQUITTO_OPTIONS: Readonly<Record<string, Fate>> = {
  ...{ listener: taken, port: taken, bind_address: taken, protocol: taken, socket_domain: taken },
  ...{ cafile: taken, certfile: taken, keyfile: taken, crlfile: taken, require_certificate: taken },
  ...{ use_identity_as_username: taken, use_subject_as_username: taken, tls_version: taken },
  ...{ allow_anonymous: taken, password_file: taken, acl_file: taken, per_listener_settings: taken },
  ...{ persistence: taken, persistence_location: taken, persistent_client_expiration: taken },
  ...{ max_connections: taken, max_packet_size: taken, message_size_limit: taken },
  ...{ max_queued_messages: taken, max_queued_bytes: taken, sys_interval: taken },
  ...{ log_type: taken, log_dest: taken, include_dir: taken },
  ...{ autosave_interval: KEPT_AT_ONCE, autosave_on_changes: KEPT_AT_ONCE },
  persistence_file: needless('the store has a name of its own in its folder'),
  retained_persistence: needless('retained messages are kept as everything else is'),
  retry_interval: needless('messages are sent again when a client comes back, as MQTT says'),
  set_tcp_nodelay: needless('it is always so'),
  log_timestamp: needless('every line of the log has its time'),
  log_timestamp_format: needless('times in the log are those of ISO 8601'),
  websockets_log_level: needless('the log has one level for all listeners'),
  websockets_headers_size: needless('the runtime takes headers of 16 KiB'),
  dhparamfile: needless('keys are exchanged by elliptic curves'),
  tls_keyform: NO_ENGINE,
  tls_engine: NO_ENGINE,
  tls_engine_kpass_sha1: NO_ENGINE,
  ciphers: TLS_OF_RUNTIME,
  'ciphers_tls1.3': TLS_OF_RUNTIME,
  capath: lacking('write the certificates of the folder into one file and name it as tls.ca'),
  bind_interface: lacking('name the address of the interface in listen'),
  http_dir: lacking('files are not served: a web server does that'),
  mount_point: lacking(
    'topics are not changed: allow each group of users its own topics by rules (docs/security.md)',
  ),
  use_username_as_clientid: lacking('a rule with sessions: ["%u"] says which client ids a user may have'),
  clientid_prefixes: lacking('a rule with sessions says which client ids a user may have (docs/security.md)'),
  allow_zero_length_clientid: lacking('clients without an id get one'),
  auto_id_prefix: lacking('the broker makes whole ids for clients that have none'),
  allow_duplicate_messages: lacking('a client with overlapping subscriptions gets a message once'),
  check_retain_source: lacking(
    'who may read a retained message is asked when it is delivered, not who published it',
  ),
  max_inflight_messages: lacking(
    'a client says itself how much it takes (Receive Maximum); limits may say less (docs/limits.md)',
  ),
  max_inflight_bytes: lacking('a client says itself how much it takes (Receive Maximum)'),
  max_keepalive: lacking(
    'the keep-alive of a client is as it says; keepalive here ends connections that are silent for longer',
  ),
  max_qos: lacking('all of QoS 0 to 2 are served'),
  maximum_qos: lacking('all of QoS 0 to 2 are served'),
  max_topic_alias: lacking('clients may use topic aliases'),
  memory_limit: lacking(
    'what may wait is bounded by channel.total-bytes and session.queue-bytes; the service manager bounds all of it (MemoryMax)',
  ),
  queue_qos0_messages: lacking(
    'messages of QoS 0 wait for nobody who is away: subscribe with QoS 1, or keep the topics (keep.topics)',
  ),
  retain_available: lacking('a limit of retained bytes for everybody keeps them out (docs/limits.md)'),
  upgrade_outgoing_qos: lacking('a message is delivered with the lower QoS of both, as MQTT says'),
  connection_messages: lacking('log.level warn leaves out lines about connections'),
  log_facility: lacking(
    'the log goes to the standard error, and the service manager from there to where it is to be',
  ),
  pid_file: lacking(
    'the service manager knows the process; the owner reaches the broker by the socket in its data folder',
  ),
  user: lacking('the broker does not change its user: start it as that one (User= of systemd)'),
  ...{ plugin: NO_PLUGIN, auth_plugin: NO_PLUGIN, auth_plugin_deny_special_chars: NO_PLUGIN },
  ...{ 'plugin_opt_*': NO_PLUGIN, 'auth_opt_*': NO_PLUGIN, global_plugin: NO_PLUGIN },
  ...{ psk_file: NO_PSK, psk_hint: NO_PSK },
  ...{
    connection: bridge,
    address: bridge,
    addresses: bridge,
    topic: bridge,
    clientid: bridge,
    username: bridge,
  },
  ...{ password: bridge, remote_clientid: bridge, remote_username: bridge, remote_password: bridge },
  ...{ local_clientid: bridge, local_username: bridge, local_password: bridge, cleansession: bridge },
  ...{ local_cleansession: bridge, keepalive_interval: bridge, start_type: bridge, idle_timeout: bridge },
  ...{ restart_timeout: bridge, threshold: bridge, round_robin: bridge, try_private: bridge },
  ...{ notifications: bridge, notifications_local_only: bridge, notification_topic: bridge },
  ...{
    bridge_alpn: bridge,
    bridge_attempt_unsubscribe: bridge,
    bridge_bind_address: bridge,
    bridge_cafile: bridge,
  },
  ...{ bridge_capath: bridge, bridge_certfile: bridge, bridge_identity: bridge, bridge_insecure: bridge },
  ...{
    bridge_keyfile: bridge,
    bridge_max_packet_size: bridge,
    bridge_outgoing_retain: bridge,
    bridge_psk: bridge,
  },
  ...{ bridge_protocol_version: bridge, bridge_require_ocsp: bridge, bridge_tls_version: bridge },
};

/** Undefined for a name that mosquitto does not know either. */
export function fateOf(key: string): Fate | undefined {
  if (Object.hasOwn(MOSQUITTO_OPTIONS, key)) return MOSQUITTO_OPTIONS[key];
  if (key.startsWith('plugin_opt_') || key.startsWith('auth_opt_')) return NO_PLUGIN;
  return undefined;
}
