import { enumeration, field, message, type ProtoFile, type ServiceType } from './schema.ts';

/** grpc.health.v1, the standard service that tells whether a server can serve. */

export const ServingStatus = enumeration('grpc.health.v1.HealthCheckResponse.ServingStatus', {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
});

export const HealthCheckRequest = message('grpc.health.v1.HealthCheckRequest', {
  service: field(1, 'string'),
});
export const HealthCheckResponse = message('grpc.health.v1.HealthCheckResponse', {
  status: field(1, ServingStatus),
});

export const HealthService: ServiceType = {
  name: 'grpc.health.v1.Health',
  methods: [
    { name: 'Check', request: HealthCheckRequest, response: HealthCheckResponse },
    { name: 'Watch', request: HealthCheckRequest, response: HealthCheckResponse, serverStreams: true },
  ],
};

export const healthFile: ProtoFile = {
  path: 'grpc/health/v1/health.proto',
  packageName: 'grpc.health.v1',
  messages: [HealthCheckRequest, HealthCheckResponse],
  nestedEnums: { 'grpc.health.v1.HealthCheckResponse': [ServingStatus] },
  services: [HealthService],
};
