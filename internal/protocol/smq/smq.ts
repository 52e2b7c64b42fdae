import { field, message, type ProtoFile, repeated, type ServiceType } from '../grpc/schema.ts';

/** The messages and the service of smq.proto, which lies beside this file and is compared with it by a test. */

export const ConnectRequest = message('smq.ConnectRequest', {});
export const ConnectResponse = message('smq.ConnectResponse', {});
export const GetLatestOffsetRequest = message('smq.GetLatestOffsetRequest', { topic: field(1, 'string') });
export const GetLatestOffsetResponse = message('smq.GetLatestOffsetResponse', { offset: field(1, 'int64') });
export const GetEarliestOffsetRequest = message('smq.GetEarliestOffsetRequest', {
  topic: field(1, 'string'),
});
export const GetEarliestOffsetResponse = message('smq.GetEarliestOffsetResponse', {
  offset: field(1, 'int64'),
});
export const CreateTopicRequest = message('smq.CreateTopicRequest', { topic: field(1, 'string') });
export const CreateTopicResponse = message('smq.CreateTopicResponse', {});
export const ProduceRequest = message('smq.ProduceRequest', {
  topic: field(1, 'string'),
  message: field(2, 'bytes'),
});
export const ProduceResponse = message('smq.ProduceResponse', { offset: field(1, 'int64') });
export const ConsumeRequest = message('smq.ConsumeRequest', {
  topic: field(1, 'string'),
  offset: field(2, 'int64'),
});
export const ConsumeResponse = message('smq.ConsumeResponse', {
  message: field(1, 'bytes'),
  offset: field(2, 'int64'),
});
export const DeleteUntilOffsetRequest = message('smq.DeleteUntilOffsetRequest', {
  topic: field(1, 'string'),
  offset: field(2, 'int64'),
});
export const DeleteUntilOffsetResponse = message('smq.DeleteUntilOffsetResponse', {});
export const BulkRetrieveRequest = message('smq.BulkRetrieveRequest', {
  topic: field(1, 'string'),
  startOffset: field(2, 'int64'),
  limit: field(3, 'int32'),
});
export const RetrievedMessage = message('smq.RetrievedMessage', {
  message: field(1, 'bytes'),
  offset: field(2, 'int64'),
});
export const BulkRetrieveResponse = message('smq.BulkRetrieveResponse', {
  messages: repeated(1, RetrievedMessage),
  count: field(2, 'int32'),
  nextOffset: field(3, 'int64'),
});

export const SuhaibMessageQueue: ServiceType = {
  name: 'smq.SuhaibMessageQueue',
  methods: [
    { name: 'Connect', request: ConnectRequest, response: ConnectResponse },
    { name: 'GetLatestOffset', request: GetLatestOffsetRequest, response: GetLatestOffsetResponse },
    { name: 'GetEarliestOffset', request: GetEarliestOffsetRequest, response: GetEarliestOffsetResponse },
    { name: 'CreateTopic', request: CreateTopicRequest, response: CreateTopicResponse },
    { name: 'Produce', request: ProduceRequest, response: ProduceResponse },
    { name: 'Consume', request: ConsumeRequest, response: ConsumeResponse },
    { name: 'StreamProduce', request: ProduceRequest, response: ProduceResponse, clientStreams: true },
    { name: 'StreamConsume', request: ConsumeRequest, response: ConsumeResponse, serverStreams: true },
    { name: 'DeleteUntilOffset', request: DeleteUntilOffsetRequest, response: DeleteUntilOffsetResponse },
    { name: 'BulkRetrieve', request: BulkRetrieveRequest, response: BulkRetrieveResponse },
  ],
};

export const smqFile: ProtoFile = {
  path: 'smq.proto',
  packageName: 'smq',
  goPackage: 'tinymq/smq;smq',
  messages: [
    ConnectRequest,
    ConnectResponse,
    GetLatestOffsetRequest,
    GetLatestOffsetResponse,
    GetEarliestOffsetRequest,
    GetEarliestOffsetResponse,
    CreateTopicRequest,
    CreateTopicResponse,
    ProduceRequest,
    ProduceResponse,
    ConsumeRequest,
    ConsumeResponse,
    DeleteUntilOffsetRequest,
    DeleteUntilOffsetResponse,
    BulkRetrieveRequest,
    BulkRetrieveResponse,
    RetrievedMessage,
  ],
  services: [SuhaibMessageQueue],
};
