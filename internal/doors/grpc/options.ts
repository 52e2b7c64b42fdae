import { addresses, type Kinds, number, objectOf, yesOrNo } from '../../lib/option-kinds.ts';

/** Options of the gRPC door. All but `listen` may be left out. */
export interface GrpcOptions {
  /** The addresses to listen on: `tcp://host:port`, `tls://host:port` or `unix:///path`. Port 0 takes a free one. */
  listen: readonly string[];
  /** The largest message, in bytes. Default: 1 GiB. */
  maxMessageBytes?: number;
  /** Whether clients may change topics. Default: true. */
  allowWrites?: boolean;
}

/** The same for those who have no compiler. */
export const grpcOptionKinds = objectOf({
  listen: addresses,
  maxMessageBytes: number,
  allowWrites: yesOrNo,
} satisfies Kinds<GrpcOptions>);
