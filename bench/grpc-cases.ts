/** What is measured through the gRPC listener. */

interface CaseBase {
  /** What `CASES` calls it. */
  name: string;
  title: string;
  peers?: readonly string[];
  /** CPU time of the original server for each message on one core of a machine like ours, in microseconds. */
  originalCpuUs: number;
}

/** Produce: callers of one connection, each of which waits for its answer before it calls again. */
export interface GrpcUnaryCase extends CaseBase {
  kind: 'grpc-unary';
  callers: number;
  messageBytes: number;
}

/** StreamProduce: one call after the other, each as long as a round. */
export interface GrpcStreamProduceCase extends CaseBase {
  kind: 'grpc-stream-produce';
  messageBytes: number;
  /** How the client cuts its stream: `each` as most clients do, a DATA frame for each message. */
  frames: 'each' | 'full';
}

/** StreamConsume from the beginning of a topic to its end, over and over. */
export interface GrpcStreamConsumeCase extends CaseBase {
  kind: 'grpc-stream-consume';
  messageBytes: number;
  /** How many messages the topic has. */
  messages: number;
}

/** BulkRetrieve from the beginning of a topic to its end, over and over. */
export interface GrpcBulkCase extends CaseBase {
  kind: 'grpc-bulk';
  messageBytes: number;
  messages: number;
  /** How many messages each call asks for. */
  limit: number;
}

export type GrpcCase = GrpcUnaryCase | GrpcStreamProduceCase | GrpcStreamConsumeCase | GrpcBulkCase;

const messageBytes = 100;
/** Fits what a broker keeps of a log in memory. */
const messages = 200_000;

export const grpcCases: readonly GrpcCase[] = [
  {
    kind: 'grpc-unary',
    name: 'grpc-unary-1',
    title: 'gRPC, Produce, one caller, 100 B',
    callers: 1,
    messageBytes,
    originalCpuUs: 128,
  },
  {
    kind: 'grpc-unary',
    name: 'grpc-unary-32',
    title: 'gRPC, Produce, 32 callers, 100 B',
    callers: 32,
    messageBytes,
    originalCpuUs: 37,
  },
  {
    kind: 'grpc-stream-produce',
    name: 'grpc-stream-produce',
    title: 'gRPC, StreamProduce, 100 B, many messages in a DATA frame',
    frames: 'full',
    messageBytes,
    originalCpuUs: 23,
  },
  {
    kind: 'grpc-stream-produce',
    name: 'grpc-stream-produce-each',
    title: 'gRPC, StreamProduce, 100 B, each message in a DATA frame of its own',
    frames: 'each',
    messageBytes,
    originalCpuUs: 23,
  },
  {
    kind: 'grpc-stream-consume',
    name: 'grpc-stream-consume',
    title: 'gRPC, StreamConsume, 100 B',
    messages,
    messageBytes,
    originalCpuUs: 6,
  },
  {
    kind: 'grpc-bulk',
    name: 'grpc-bulk',
    title: 'gRPC, BulkRetrieve of 10,000, 100 B',
    limit: 10_000,
    messages,
    messageBytes,
    originalCpuUs: 1,
  },
];
