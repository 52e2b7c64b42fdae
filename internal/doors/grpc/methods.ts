import { HealthService } from '../../protocol/grpc/health.ts';
import { reflectionV1, reflectionV1Alpha } from '../../protocol/grpc/reflection.ts';
import type { ServiceType } from '../../protocol/grpc/schema.ts';
import { GrpcError, Status } from '../../protocol/grpc/status.ts';
import { SuhaibMessageQueue } from '../../protocol/smq/smq.ts';
import type { OpenCall } from './call.ts';
import type { DoorContext } from './context.ts';
import type { GrpcHealth } from './health.ts';
import { serverReflectionInfo } from './reflection.ts';
import type { Heartbeats } from './smq/heartbeats.ts';
import { smqMethods } from './smq/methods.ts';

/** Finds what answers the calls of a path such as `/smq.SuhaibMessageQueue/Produce`. */
export function makeMethods(
  context: DoorContext,
  health: GrpcHealth,
  heartbeats: Heartbeats,
): (path: string) => OpenCall {
  const services: [ServiceType, Readonly<Record<string, OpenCall>>][] = [
    [SuhaibMessageQueue, smqMethods(context, heartbeats)],
    [HealthService, health.methods],
  ];
  for (const version of [reflectionV1, reflectionV1Alpha]) {
    services.push([
      version.service,
      { ServerReflectionInfo: serverReflectionInfo(version as typeof reflectionV1) },
    ]);
  }
  const names = new Set(services.map(([service]) => service.name));
  const paths = new Map<string, OpenCall>();
  for (const [service, opens] of services) {
    for (const { name } of service.methods) paths.set(`/${service.name}/${name}`, opens[name]!);
  }

  return (path) => paths.get(path) ?? refuse(path, names);
}

function refuse(path: string, services: ReadonlySet<string>): never {
  const parts = /^\/(.*)\/([^/]*)$/.exec(path);
  if (parts === null) throw new GrpcError(Status.UNIMPLEMENTED, `malformed method name: "${path}"`);
  const [, service = '', method = ''] = parts;
  throw new GrpcError(
    Status.UNIMPLEMENTED,
    services.has(service) ? `unknown method ${method} for service ${service}` : `unknown service ${service}`,
  );
}
