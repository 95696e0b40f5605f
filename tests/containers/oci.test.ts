/** Where a container lives and whose it is, by what its runtime says to a hook. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOfState, whyNotGuarded } from "../../src/containers/oci.ts";

const ID = "07c0558f11eafa9f4d66d3ecbb17c94f528048592f0030c16f75ebf2f8768649";

for (const [runtime, bundle] of [
  ["podman", `/var/lib/containers/storage/overlay-containers/${ID}/userdata`],
  ["cri-o", `/run/containers/storage/overlay-containers/${ID}/userdata`],
  ["docker", `/run/containerd/io.containerd.runtime.v2.task/moby/${ID}`],
  ["docker", `/var/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/${ID}`],
  ["containerd", `/run/containerd/io.containerd.runtime.v2.task/k8s.io/${ID}`],
  ["containerd", `/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/${ID}`],
  ["oci", "/srv/bundle"],
] as const) {
  test(`in a cgroup of any name, ${bundle} is ${runtime}'s`, () => {
    const state = { id: ID, pid: 7, bundle };
    const place = placeOfState(state, "/by-hand");
    assert.deepEqual([place, whyNotGuarded(state, place, [7])], [{ runtime, id: ID, cgroup: "/by-hand" }, undefined]);
  });
}

test("a cgroup that carries the id is the container's, whoever lives in it; others must be its own", () => {
  const state = { id: ID, pid: 7, bundle: "/srv/bundle" };
  const own = placeOfState(state, `/docker/${ID}/init`);
  assert.deepEqual(own, { runtime: "docker", id: ID, cgroup: `/docker/${ID}` });
  assert.equal(whyNotGuarded(state, own, [7, 8]), undefined);
  for (const cgroup of ["/", "/shared"]) {
    const error = whyNotGuarded(state, placeOfState(state, cgroup), [7, 8]);
    assert.equal(error?.code, "CONTAINER_CGROUP", cgroup);
  }
});
