import assert from "node:assert/strict";
import { test } from "node:test";
import { holdsContainers, imageNames, placeOf } from "../../src/containers/container.ts";

const ID = "07c0558f11eafa9f4d66d3ecbb17c94f528048592f0030c16f75ebf2f8768649";

const places = [
  { path: `/libpod_parent/libpod-${ID}`, runtime: "podman" },
  { path: `/machine.slice/libpod-${ID}.scope`, runtime: "podman" },
  { path: `/machine.slice/machine-libpod_pod_1f.slice/libpod-${ID}.scope`, runtime: "podman" },
  { path: `/libpod_parent/abc/libpod-${ID}`, runtime: "podman" },
  { path: `/docker/${ID}`, runtime: "docker" },
  { path: `/system.slice/docker-${ID}.scope`, runtime: "docker" },
  { path: `/custom.slice/docker-${ID}.scope`, runtime: "docker" },
  {
    path: `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-${ID}.scope`,
    runtime: "cri-o",
  },
  { path: `/kubepods/besteffort/pod1/crio-${ID}`, runtime: "cri-o" },
  { path: `/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope`, runtime: "containerd" },
  { path: `/kubepods/burstable/pod1/${ID}`, runtime: "containerd" },
] as const;
for (const { path, runtime } of places) {
  test(`${path.replace(ID, "ID")} is a container of ${runtime}`, () => {
    assert.deepEqual(placeOf(path), { runtime, id: ID, cgroup: path });
  });
  test(`a cgroup below ${path.replace(ID, "ID")} belongs to that container as a whole`, () => {
    assert.deepEqual(placeOf(`${path}/container/init.scope`), { runtime, id: ID, cgroup: path });
  });
}

const others = [
  "/",
  "",
  "/libpod_parent/conmon",
  `/machine.slice/libpod-conmon-${ID}.scope`,
  `/libpod_parent/libpod-${ID.slice(1)}`,
  `/libpod_parent/libpod-${ID}0`,
  `/libpod_parent/libpod-${ID.toUpperCase()}`,
  `/docker/${ID}.scope`,
  `/elsewhere/${ID}`,
  `/user.slice/user-1000.slice/user@1000.service/libpod-${ID}.scope`,
  `/user.slice/docker/${ID}`,
];
for (const path of others) {
  test(`${path.replace(ID, "ID") || "the root"} is no container`, () => assert.equal(placeOf(path), undefined));
}

const watched = [
  { path: "", holds: true },
  { path: "/libpod_parent", holds: true },
  { path: "/libpod_parent/3f2a", holds: true },
  { path: "/machine.slice", holds: true },
  { path: "/machine.slice/machine-libpod_pod_1f.slice", holds: true },
  { path: "/machine.slice/vm.scope", holds: false },
  { path: "/system.slice", holds: true },
  { path: "/system.slice/ssh.service", holds: false },
  { path: "/docker", holds: true },
  { path: `/docker/${ID}`, holds: false },
  { path: "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice", holds: true },
  { path: "/kubepods/besteffort/pod1", holds: true },
  { path: "/user.slice", holds: false },
  { path: "/user.slice/libpod_parent", holds: false },
  { path: "/sallyport.slice", holds: false },
] as const;
for (const { path, holds } of watched) {
  test(`${path.replace(ID, "ID") || "the root"} is ${holds ? "" : "not "}watched for new containers`, () => {
    assert.equal(holdsContainers(path), holds);
  });
}

const images = [
  {
    image: "docker.io/library/postgres:16",
    names: ["docker.io/library/postgres:16", "docker.io/library/postgres", "postgres:16", "postgres"],
  },
  { image: "registry.test:5000/a/b", names: ["registry.test:5000/a/b", "b"] },
  { image: `quay.io/x/y@sha256:${ID}`, names: [`quay.io/x/y@sha256:${ID}`, "quay.io/x/y", `y@sha256:${ID}`, "y"] },
  { image: "busy", names: ["busy"] },
  { image: "", names: [""] },
];
for (const { image, names } of images) {
  test(`the image "${image.replace(ID, "ID")}" is known by ${names.length} names`, () =>
    assert.deepEqual(imageNames(image), names));
}
