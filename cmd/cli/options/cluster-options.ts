import { list, text, type Values } from './option.ts';

/** How a cluster's NATS servers are reached, by brokers and by `tinymq cluster`: with the same flags and variables. */
export const clusterOptions = {
  cluster: list({
    group: 'Cluster',
    variable: 'TINYMQ_CLUSTER',
    placeholder: 'URL',
    help: 'be a node of a cluster, whose logs lie in NATS JetStream: its servers, as nats://host:port or tls://host:port',
  }),
  'cluster-name': text({
    group: 'Cluster',
    variable: 'TINYMQ_CLUSTER_NAME',
    default: 'tinymq',
    help: 'brokers of the same name are one cluster; several may share the servers',
  }),
  'cluster-credentials': text({
    group: 'Cluster',
    variable: 'TINYMQ_CLUSTER_CREDENTIALS',
    placeholder: 'FILE',
    help: 'who the broker is for NATS: a file with credentials, with the seed of an NKEY, or with USER:PASSWORD',
  }),
  'cluster-tls-ca': text({
    group: 'Cluster',
    variable: 'TINYMQ_CLUSTER_TLS_CA',
    placeholder: 'FILE',
    help: 'who signed the certificates of the NATS servers (PEM); those of the system unless given',
  }),
  'cluster-tls-cert': text({
    group: 'Cluster',
    variable: 'TINYMQ_CLUSTER_TLS_CERT',
    placeholder: 'FILE',
    help: 'the certificate that the broker shows the NATS servers (PEM)',
  }),
  'cluster-tls-key': text({
    group: 'Cluster',
    variable: 'TINYMQ_CLUSTER_TLS_KEY',
    placeholder: 'FILE',
    help: 'the key of that certificate (PEM)',
  }),
  'cluster-monitor': list({
    group: 'Cluster',
    variable: 'TINYMQ_CLUSTER_MONITOR',
    placeholder: 'URL',
    help: 'where the NATS servers say how they are configured, such as http://host:8222, to check that they sync',
  }),
};

/** The files by which TLS is spoken with the servers; undefined where none is named. */
export function clusterTlsOf(values: Values<typeof clusterOptions>) {
  const files = {
    caFile: values['cluster-tls-ca'],
    certFile: values['cluster-tls-cert'],
    keyFile: values['cluster-tls-key'],
  };
  return Object.values(files).some((file) => file !== undefined) ? files : undefined;
}
