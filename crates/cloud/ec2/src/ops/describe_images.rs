use eksile_aws::inputs::{Filter, filtered};
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::images::{self, Family, Image};
use crate::records::Tags;
use crate::resource::{is_of_tags, tag_values};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html>
#[derive(Shape)]
pub(super) struct DescribeImages {
    #[shape(input = "ImageId")]
    image_ids: Vec<String>,
    #[shape(input = "Owner")]
    owners: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
    /// These change nothing: no image is deprecated or disabled.
    include_deprecated: Option<bool>,
    include_disabled: Option<bool>,
}

/// Images by name.
#[derive(Shape)]
pub(super) struct Output {
    images_set: Vec<ImageShown>,
}

/// `Image` of the EC2 API.
#[derive(Shape)]
pub(super) struct ImageShown {
    image_id: String,
    image_location: String,
    image_state: String,
    image_owner_id: String,
    image_owner_alias: String,
    creation_date: String,
    is_public: bool,
    architecture: String,
    image_type: String,
    name: String,
    description: String,
    root_device_type: String,
    root_device_name: String,
    virtualization_type: String,
    hypervisor: String,
    ena_support: bool,
    platform_details: String,
    usage_operation: String,
    imds_support: Option<String>,
}

impl From<Image> for ImageShown {
    fn from(image: Image) -> Self {
        Self {
            image_id: image.image_id,
            image_location: format!("amazon/{}", image.name),
            image_state: "available".to_owned(),
            image_owner_id: images::OWNER_ID.to_owned(),
            image_owner_alias: "amazon".to_owned(),
            creation_date: images::CREATION_DATE.to_owned(),
            is_public: true,
            architecture: "x86_64".to_owned(),
            image_type: "machine".to_owned(),
            name: image.name,
            description: image.description,
            root_device_type: "ebs".to_owned(),
            root_device_name: "/dev/xvda".to_owned(),
            virtualization_type: "hvm".to_owned(),
            hypervisor: "xen".to_owned(),
            ena_support: true,
            platform_details: "Linux/UNIX".to_owned(),
            usage_operation: "RunInstances".to_owned(),
            // EKS publishes its Amazon Linux 2023 images so: launches require tokens.
            imds_support: (image.family == Family::AmazonLinux2023).then(|| "v2.0".to_owned()),
        }
    }
}

filters! {
    const NAMES, fn own_values(image: &ImageShown) {
        "image-id" => image.image_id.clone(),
        "name" => image.name.clone(),
        "description" => image.description.clone(),
        "architecture" => image.architecture.clone(),
        "owner-id" => image.image_owner_id.clone(),
        "owner-alias" => image.image_owner_alias.clone(),
        "state" => image.image_state.clone(),
        "image-type" => image.image_type.clone(),
        "is-public" => image.is_public.to_string(),
        "root-device-type" => image.root_device_type.clone(),
        "virtualization-type" => image.virtualization_type.clone(),
        "hypervisor" => image.hypervisor.clone(),
        "ena-support" => image.ena_support.to_string(),
        "platform-details" => image.platform_details.clone(),
    }
}

fn known(name: &str) -> bool {
    NAMES.contains(&name) || is_of_tags(name)
}

/// These images have no tags.
fn values(image: &ImageShown, name: &str) -> Option<Vec<String>> {
    own_values(image, name).or_else(|| tag_values(&Tags::new(), name))
}

impl Lookup for DescribeImages {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        let mut all = images::images(call.region);
        if let Some(missing) = self.image_ids.iter().find(|id| !all.iter().any(|image| image.image_id == **id)) {
            let message = format!("The image id '[{missing}]' does not exist");
            return Err(Fault::client("InvalidAMIID.NotFound", 400, message));
        }
        let ours = ["amazon", images::OWNER_ID];
        let owned = self.owners.is_empty() || self.owners.iter().any(|owner| ours.contains(&owner.as_str()));
        all.retain(|image| owned && (self.image_ids.is_empty() || self.image_ids.contains(&image.image_id)));
        let shown = all.into_iter().map(ImageShown::from).collect();
        Ok(Output { images_set: filtered(shown, &self.filters, known, values)? })
    }
}
