/**
 * Services that lead to the application past its sidecar: a `targetPort` that is a number stays one, whoever has the
 * port's name. Pure.
 */

import { z } from 'zod';

const serviceSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string().nullish() }),
  spec: z.looseObject({
    selector: z.record(z.string(), z.string()).nullish(),
    clusterIP: z.string().nullish(),
    ports: z
      .array(
        z.looseObject({
          port: z.int(),
          targetPort: z.union([z.int(), z.string()]).nullish(),
          protocol: z.string().nullish(),
        }),
      )
      .nullish(),
  }),
});

export type Service = z.infer<typeof serviceSchema>;
export type ServicePort = NonNullable<Service['spec']['ports']>[number];

/** @returns undefined for what is no Service that could select a pod. */
export function readService(given: unknown): Service | undefined {
  const read = serviceSchema.safeParse(given);
  return read.success ? (given as Service) : undefined;
}

/** Whether the Service selects a pod with these labels. One without a selector selects nobody. */
export function selects(service: Service, labels: Readonly<Record<string, string>>): boolean {
  const selector = Object.entries(service.spec.selector ?? {});
  return selector.length > 0 && selector.every(([name, value]) => labels[name] === value);
}

/** Whether one of its ports leads to this number. Left out, `targetPort` is the Service's own port. */
export function leadsTo(port: ServicePort, number: number): boolean {
  return (port.protocol ?? 'TCP') === 'TCP' && Number(port.targetPort ?? port.port) === number;
}

/** Nothing of it is forwarded: its clients go to the pods by their addresses, on a port of their own choice. */
export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None';
}

/** The names of those that go past the sidecar, in the order given. */
export function bypassing(
  services: readonly Service[],
  labels: Readonly<Record<string, string>>,
  number: number,
): { readonly forwarding: readonly string[]; readonly headless: readonly string[] } {
  const past = services.filter(
    (service) => selects(service, labels) && (service.spec.ports ?? []).some((port) => leadsTo(port, number)),
  );
  const names = (of: readonly Service[]): readonly string[] => of.map(({ metadata }) => metadata.name);
  return {
    forwarding: names(past.filter((service) => !isHeadless(service))),
    headless: names(past.filter(isHeadless)),
  };
}
