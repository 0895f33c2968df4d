"""How the real EC2 turns a launch down: code -> status and words, for `FakeAws.fail_launch`. From the fact sheet."""

from __future__ import annotations

LAUNCH_CODES: dict[str, tuple[int, str]] = {
    "InsufficientInstanceCapacity": (500, "There is no Spot capacity available that matches your request."),
    "UnfulfillableCapacity": (500, "Unable to fulfill capacity due to your request configuration."),
    "InsufficientHostCapacity": (500, "There is not enough capacity to fulfill your Dedicated Host request."),
    "InsufficientReservedInstanceCapacity": (500, "There are not enough available Reserved Instances."),
    "Unsupported": (
        400,
        "Your requested instance type is not supported in your requested Availability Zone. Please retry your request "
        "by not specifying an Availability Zone or choosing us-east-1b, us-east-1c.",
    ),
    "InvalidFleetConfiguration": (400, "Your requested instance type is not supported in your requested zone."),
    "SpotMaxPriceTooLow": (
        400,
        "Your Spot request price of 0.1 is lower than the minimum required Spot request fulfillment price of 0.5278.",
    ),
    "MaxSpotInstanceCountExceeded": (400, "Max spot instance count exceeded"),
    "VcpuLimitExceeded": (
        400,
        "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that "
        "the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request.",
    ),
    "InstanceLimitExceeded": (400, "You have requested more instances (1) than your current instance limit of 0."),
    "InsufficientFreeAddressesInSubnet": (400, "The specified subnet does not have enough free addresses."),
    "MaxFleetCountExceeded": (400, "You have reached the maximum number of fleets."),
    "VolumeLimitExceeded": (400, "You have exceeded the maximum gp3 storage limit of 50 TiB in this region."),
    "InsufficientVolumeCapacity": (400, "There is not enough capacity to fulfill your EBS volume request."),
    "PendingVerification": (400, "Your account is currently being verified. Verification takes less than 2 hours."),
    "OptInRequired": (401, "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe."),
    "Blocked": (403, "This account is currently blocked and not recognized as a valid account."),
    "AuthFailure": (401, "AWS was not able to validate the provided access credentials"),
    "UnauthorizedOperation": (
        403,
        "You are not authorized to perform this operation. User: arn:aws:iam::210987654321:user/marker-user is not "
        "authorized to perform: iam:PassRole. Encoded authorization failure message: marker-encoded",
    ),
    "SsmAccessDenied": (400, "User: arn:aws:iam::210987654321:user/marker-user is not authorized: ssm:GetParameters"),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "ExpiredToken": (400, "The provided token has expired."),
    "RequestExpired": (400, "Request has expired."),
    "SignatureDoesNotMatch": (403, "The request signature we calculated does not match."),
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": (
        403,
        "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.",
    ),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "InternalError": (500, "An internal error has occurred"),
    "Unavailable": (503, "The server is overloaded and can't handle the request."),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
    "IdempotentParameterMismatch": (400, "Arguments on this idempotent request are inconsistent with arguments used"),
    "InvalidParameterValue": (400, "Invalid value 'x' for InstanceType."),
    "InvalidAMIID.NotFound": (400, "The image id '[ami-0123456789abcdef0]' does not exist"),
    "InvalidSubnetID.NotFound": (400, "The subnet ID 'subnet-0123456789abcdef0' does not exist"),
    "InvalidInstanceType": (400, "The following supplied instance types do not exist: [x]"),
    "InvalidInstanceType.NotFound": (400, "The following supplied instance types do not exist: [x]"),
    "InvalidUserData.Malformed": (400, "Invalid BASE64 encoding of user data."),
    "MissingParameter": (400, "The request must contain the parameter ImageId"),
}
