/** What a cluster may be called: names of streams and subjects of NATS begin with it. */
export const CLUSTER_NAME = /^[A-Za-z0-9_-]{1,64}$/;
