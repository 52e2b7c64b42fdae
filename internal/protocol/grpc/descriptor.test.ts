import { expect, it } from 'vitest';
import { describeFile, FileDescriptor, symbolsOf } from './descriptor.ts';
import { healthFile } from './health.ts';
import { readMessage } from './read-message.ts';
import { reflectionV1 } from './reflection.ts';

it('tells of messages, fields, enums and methods', () => {
  const file = readMessage(FileDescriptor, describeFile(healthFile));
  expect(file).toMatchObject({
    name: 'grpc/health/v1/health.proto',
    package: 'grpc.health.v1',
    syntax: 'proto3',
    options: undefined,
    messageType: [
      { name: 'HealthCheckRequest', field: [{ name: 'service', number: 1, label: 1, type: 9 }] },
      {
        name: 'HealthCheckResponse',
        field: [{ name: 'status', type: 14, typeName: '.grpc.health.v1.HealthCheckResponse.ServingStatus' }],
        enumType: [{ name: 'ServingStatus' }],
      },
    ],
    service: [
      {
        name: 'Health',
        method: [
          { name: 'Check', inputType: '.grpc.health.v1.HealthCheckRequest', serverStreaming: false },
          { name: 'Watch', outputType: '.grpc.health.v1.HealthCheckResponse', serverStreaming: true },
        ],
      },
    ],
  });
  const values = file.messageType[1].enumType[0].value.map(({ name, number }) => [name, ...number]);
  expect(values).toEqual([
    ['UNKNOWN', 0],
    ['SERVING', 1],
    ['NOT_SERVING', 2],
    ['SERVICE_UNKNOWN', 3],
  ]);
});

it('tells of oneofs', () => {
  const file = readMessage(FileDescriptor, describeFile(reflectionV1.file));
  const request = file.messageType[0];
  expect(request.oneofDecl).toEqual([{ name: 'message_request' }]);
  expect(request.field.map(({ name, oneofIndex }) => [name, ...oneofIndex])).toEqual([
    ['host'],
    ['file_by_filename', 0],
    ['file_containing_symbol', 0],
    ['file_containing_extension', 0],
    ['all_extension_numbers_of_type', 0],
    ['list_services', 0],
  ]);
});

it('knows the symbols of a file', () => {
  expect(symbolsOf(healthFile)).toEqual([
    'grpc.health.v1.HealthCheckRequest',
    'grpc.health.v1.HealthCheckRequest.service',
    'grpc.health.v1.HealthCheckResponse',
    'grpc.health.v1.HealthCheckResponse.status',
    'grpc.health.v1.HealthCheckResponse.ServingStatus',
    'grpc.health.v1.Health',
    'grpc.health.v1.Health.Check',
    'grpc.health.v1.Health.Watch',
  ]);
});
