import { field, message, oneOf, type ProtoFile, repeated, type ServiceType } from './schema.ts';

/**
 * grpc.reflection.v1 and v1alpha, by which tools such as grpcurl learn what a server offers. Both have the same
 * messages under different names.
 */

function reflectionOf(version: 'v1' | 'v1alpha') {
  const packageName = `grpc.reflection.${version}`;
  const extensionRequest = message(`${packageName}.ExtensionRequest`, {
    containingType: field(1, 'string'),
    extensionNumber: field(2, 'int32'),
  });
  const request = message(`${packageName}.ServerReflectionRequest`, {
    host: field(1, 'string'),
    fileByFilename: oneOf('message_request', 3, 'string'),
    fileContainingSymbol: oneOf('message_request', 4, 'string'),
    fileContainingExtension: oneOf('message_request', 5, extensionRequest),
    allExtensionNumbersOfType: oneOf('message_request', 6, 'string'),
    listServices: oneOf('message_request', 7, 'string'),
  });
  const fileDescriptorResponse = message(`${packageName}.FileDescriptorResponse`, {
    fileDescriptorProto: repeated(1, 'bytes'),
  });
  const extensionNumberResponse = message(`${packageName}.ExtensionNumberResponse`, {
    baseTypeName: field(1, 'string'),
    extensionNumber: repeated(2, 'int32'),
  });
  const serviceResponse = message(`${packageName}.ServiceResponse`, { name: field(1, 'string') });
  const listServiceResponse = message(`${packageName}.ListServiceResponse`, {
    service: repeated(1, serviceResponse),
  });
  const errorResponse = message(`${packageName}.ErrorResponse`, {
    errorCode: field(1, 'int32'),
    errorMessage: field(2, 'string'),
  });
  const response = message(`${packageName}.ServerReflectionResponse`, {
    validHost: field(1, 'string'),
    originalRequest: field(2, request),
    fileDescriptorResponse: oneOf('message_response', 4, fileDescriptorResponse),
    allExtensionNumbersResponse: oneOf('message_response', 5, extensionNumberResponse),
    listServicesResponse: oneOf('message_response', 6, listServiceResponse),
    errorResponse: oneOf('message_response', 7, errorResponse),
  });
  const service: ServiceType = {
    name: `${packageName}.ServerReflection`,
    methods: [{ name: 'ServerReflectionInfo', request, response, clientStreams: true, serverStreams: true }],
  };
  const file: ProtoFile = {
    path: `grpc/reflection/${version}/reflection.proto`,
    packageName,
    messages: [
      request,
      extensionRequest,
      response,
      fileDescriptorResponse,
      extensionNumberResponse,
      listServiceResponse,
      serviceResponse,
      errorResponse,
    ],
    services: [service],
  };
  return { request, response, service, file };
}

export const reflectionV1 = reflectionOf('v1');
export const reflectionV1Alpha = reflectionOf('v1alpha');
